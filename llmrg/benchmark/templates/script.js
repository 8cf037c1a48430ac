(() => {
  const viewer = document.getElementById("viewer");
  for (const zoom of document.querySelectorAll(".zoom")) {
    zoom.addEventListener("click", () => {
      const source = zoom.querySelector("img");
      const target = viewer.querySelector("img");
      target.src = source.src;
      target.alt = source.alt;
      viewer.showModal();
    });
  }
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  const folds = () => document.querySelectorAll("details.fold:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...folds()]; for (const fold of opened) fold.open = true; });
  addEventListener("afterprint", () => { for (const fold of opened) fold.open = false; });
})();

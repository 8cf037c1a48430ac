(() => {
  const studies = [...document.querySelectorAll(".study")];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const count = document.querySelector(".count");
  const apply = (wanted) => {
    let shown = 0;
    for (const study of studies) {
      const outcomes = study.dataset.outcomes.split(" ");
      const onlyRight = outcomes.length === 1 && outcomes[0] === "right";
      const match = !wanted || (wanted === "only-right" ? onlyRight : outcomes.includes(wanted));
      study.hidden = !match;
      shown += match ? 1 : 0;
    }
    if (count) count.textContent = `${shown} of ${studies.length} shown`;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      apply(button.dataset.filter);
    });
  }
  if (buttons.length) apply("");
  const boxes = document.getElementById("boxes");
  if (boxes) boxes.addEventListener("change", () => document.body.classList.toggle("no-boxes", !boxes.checked));
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
})();

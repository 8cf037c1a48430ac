from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.studies.from_files import study_from_files
from llmrg.studies.images import ImageError, fit_square, load_image
from llmrg.studies.study import Context


def test_views_come_from_names_or_are_given(tmp_path: Path, write_film: Callable[..., Path]) -> None:
    lateral = write_film(tmp_path / "x_lateral.png")
    frontal = write_film(tmp_path / "x_frontal.png")
    study = study_from_files([lateral, str(frontal)], language="zh", context=Context(age=3))
    assert [image.path for image in study.images] == [frontal, lateral]
    assert (study.id, study.language, study.context.age, study.report()) == ("x_lateral", "zh", 3, "")
    given = study_from_files([lateral, frontal], language="en", views=["PA", "unknown"])
    assert [(image.path, image.view) for image in given.images] == [(lateral, "frontal"), (frontal, "unknown")]


def test_mistakes_on_the_command_line(tmp_path: Path, write_film: Callable[..., Path]) -> None:
    film = write_film(tmp_path / "a.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UserError, match="at least one film"):
        study_from_files([], language="en")
    with pytest.raises(UserError, match="named twice"):
        study_from_files([film, tmp_path / "." / "a.png"], language="en")
    with pytest.raises(UserError, match="1 films, but 2 views"):
        study_from_files([film], language="en", views=["PA", "L"])
    with pytest.raises(UserError, match="Did you mean 'frontal'"):
        study_from_files([film], language="en", views=["fontal"])
    with pytest.raises(ImageError, match="does not exist"):
        study_from_files([tmp_path / "none.png"], language="en")
    with pytest.raises(ImageError, match="is a folder"):
        study_from_files([tmp_path], language="en")
    with pytest.raises(ImageError, match="is empty"):
        study_from_files([tmp_path / "empty.png"], language="en")


def test_real_films_of_every_kind(test_data: Path) -> None:
    films = [
        *sorted((test_data / "pediatric_cxr").glob("*.jpeg")),
        *sorted((test_data / "iu_xray/images").glob("*.png")),
        *sorted((test_data / "dicom").glob("*.dcm")),
    ]
    assert len(films) == 9 + 5 + 2
    for film in films:
        square = fit_square(load_image(film, at_least=224), size=224)
        assert square.std() > 20, film.name
    study = study_from_files([test_data / f"iu_xray/images/2_{view}.png" for view in (1, 2)], language="en")
    assert len(study.images) == 2


def test_the_real_inverted_film_is_the_other_turned_over(test_data: Path) -> None:
    (inverted,) = (test_data / "dicom").glob("Fake_MONO*.dcm")
    (plain,) = (path for path in (test_data / "dicom").glob("*.dcm") if path != inverted)
    assert (load_image(inverted) == 255 - load_image(plain)).all()

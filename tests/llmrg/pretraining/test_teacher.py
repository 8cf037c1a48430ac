from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from llmrg.artefacts import Manifest, atomic_directory
from llmrg.errors import UserError
from llmrg.evidence.encoder import EncoderConfig, build_encoder, save_encoder
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.pretraining.teacher import Teacher
from llmrg.studies.batches import StudyBatch, collate_films
from llmrg.studies.study import Image, Study
from llmrg.vision.settings import BackboneConfig

SIZE = 32
VISION = BackboneConfig(
    architecture="resnet10t",
    options={"channels": [8, 16, 16, 16], "stem_width": 8, "output_stride": 8},
    channels=1,
    mean=0.45,
    std=0.25,
)
CONFIG = EncoderConfig(
    vision=VISION, queries=DiseaseQueriesConfig(heads=2, dropout=0.0), vocabulary="ped_xray", image_size=SIZE
)
STUDENT = replace(
    CONFIG,
    vision=BackboneConfig(
        architecture="swin_tiny_patch4_window7_224",
        options={"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "drop_path_rate": 0.0},
        channels=1,
        mean=0.45,
        std=0.25,
    ),
)


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("teacher") / "disease_classifier"
    with atomic_directory(folder) as directory:
        digest = save_encoder(build_encoder(CONFIG).eval(), directory)
        Manifest(kind="disease_classifier", producer="test", encoder_hash=digest).write(directory)
    return folder


def batch() -> StudyBatch:
    rng = np.random.default_rng(0)
    studies, films = [], []
    for number, views in enumerate((("frontal", "lateral"), ("frontal",))):
        images = tuple(Image(path=Path("memory"), view=view) for view in views)
        studies.append(Study(id=str(number), patient_id=str(number), images=images, split="train", language="zh"))
        films.append([rng.integers(0, 255, (SIZE, SIZE), dtype=np.uint8) for _ in views])
    return collate_films(studies, films)


def test_loss_against_a_plain_formula(teacher_folder: Path) -> None:
    teacher = Teacher(teacher_folder, student=CONFIG, width=16).train()
    torch.manual_seed(1)
    student = build_encoder(CONFIG).eval()
    features, answers = student(batch())
    loss = teacher(batch(), features, answers)

    known, said = teacher.encoder(batch())
    own = (features.tokens @ teacher.translate.weight.T + teacher.translate.bias).double().detach().numpy()
    wanted = known.tokens.double().detach().numpy()

    def normalised(values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)

    squares = ((normalised(own) - normalised(wanted)) ** 2).mean(-1)
    tokens = squares[features.mask.numpy()].mean()  # places of views that do not exist do not count
    target = said.logits.double().sigmoid().detach().numpy()
    guess = answers.logits.double().sigmoid().detach().numpy()
    entropy = -(target * np.log(guess) + (1 - target) * np.log(1 - guess)).mean()
    assert loss.item() == pytest.approx(tokens + entropy, rel=1e-4)


def test_only_the_student_learns(teacher_folder: Path) -> None:
    teacher = Teacher(teacher_folder, student=STUDENT, width=16).train()
    assert not teacher.encoder.training and not any(p.requires_grad for p in teacher.encoder.parameters())
    torch.manual_seed(2)
    student = build_encoder(STUDENT)
    before = {name: tensor.clone() for name, tensor in teacher.encoder.state_dict().items()}
    optimizer = torch.optim.AdamW([*student.parameters(), *teacher.translate.parameters()], lr=3e-3)
    losses = []
    for _ in range(12):
        features, answers = student(batch())  # 4 x 4 places against the teacher's
        loss = teacher(batch(), features, answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.encoder.state_dict().items())


def test_another_grid_is_interpolated(teacher_folder: Path) -> None:
    """A student that sees as the teacher does, on half the grid, is nearly as good as the teacher's own average."""
    teacher = Teacher(teacher_folder, student=CONFIG, width=16)
    with torch.no_grad():
        teacher.translate.weight.copy_(torch.eye(16))
        teacher.translate.bias.zero_()
    known, said = teacher.encoder(batch())
    views, height, width = known.grid
    maps = known.tokens.reshape(-1, height, width, 16).permute(0, 3, 1, 2)
    half = functional.interpolate(maps, size=(height // 2, width // 2), mode="bilinear", align_corners=False)
    coarse = replace(
        known,
        tokens=half.permute(0, 2, 3, 1).reshape(2, -1, 16),
        mask=known.mask.reshape(2, views, -1)[:, :, :1].repeat(1, 1, height * width // 4).flatten(1),
        grid=(views, height // 2, width // 2),
    )
    target = said.logits.sigmoid()
    entropy = functional.binary_cross_entropy(target, target)
    assert teacher(batch(), coarse, said).item() == pytest.approx(entropy.item(), abs=1e-5)


def test_a_teacher_of_other_findings_is_refused(teacher_folder: Path) -> None:
    with pytest.raises(UserError, match="chexpert14"):
        Teacher(teacher_folder, student=replace(CONFIG, vocabulary="chexpert14"), width=16)

"""transformers' Trainer with checkpoints that a training goes on from as if it had never been stopped.

The stock Trainer restores weights, optimiser, schedule, order and random state, where their files are there; it
ignores those that are missing, removes the old best checkpoint before the new one is whole, and knows no signals.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainerControl, TrainerState

from llmrg.artefacts import write_text
from llmrg.errors import LlmrgError, StoppedBySignalError, UserError
from llmrg.pretraining import signals
from llmrg.pretraining.checkpoints import IDENTITY, checkpoint_path, discard, is_whole, mark, rotate

__all__ = ["CheckpointedTrainer"]

logger = logging.getLogger(__name__)
_LITTLE_ROOM = 64 * 2**20


class CheckpointedTrainer(Trainer):
    """Trainer whose checkpoints are whole or ignored, rotated safely, complete when read, and written on a signal.

    Args:
        identity: what training this is; every checkpoint holds it.
        keep: checkpoints kept beside the best.
        allow_changes: go on although settings of the loop or the number of processes changed; the new ones count.
        **options: of the Trainer; ``save_total_limit`` stays unset.
    """

    control: TrainerControl

    def __init__(
        self,
        *,
        identity: Mapping[str, Any] | None = None,
        keep: int = 1,
        allow_changes: bool = False,
        **options: Any,
    ) -> None:
        self._identity = dict(identity or {})
        self._keep = keep
        self._allow_changes = allow_changes
        self._resumed: Path | None = None
        self._stopped: int | None = None
        self._evaluation_is_due = False
        super().__init__(**options)

    def train(self, resume_from_checkpoint: Any = None, *args: Any, **options: Any) -> Any:
        """Train; on a signal finish the step, save and leave.

        Raises:
            StoppedBySignalError: after the checkpoint was saved.
            UserError: the checkpoint lacks a file, or a checkpoint cannot be written.
        """
        self._resumed = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        self._stopped, self._evaluation_is_due = None, False
        if self._resumed is not None:
            self._require_files(self._resumed)
            with _reading(self._resumed):
                TrainerState.load_from_json(str(self._resumed / "trainer_state.json"))
        with signals.deferred():
            return super().train(resume_from_checkpoint, *args, **options)

    def loop_state(self) -> dict[str, Any]:
        """What else the loop has gathered since it last wrote to the log; subclasses add to it."""
        return {
            "evaluate": self._evaluation_is_due,
            "loss": float(self._tr_loss),
            "logged": self._globalstep_last_logged,
        }

    def load_loop_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`loop_state` returned."""
        self._tr_loss += state["loss"]
        self._globalstep_last_logged = int(state["logged"])

    def get_train_dataloader(self) -> Any:
        """The stock loader, whose workers outlive a signal to the whole process group until the step is finished."""
        loader = super().get_train_dataloader()
        if loader.num_workers:
            loader.worker_init_fn = _WorkerStart(loader.worker_init_fn)
        return loader

    def _maybe_log_save_evaluate(self, *args: Any, **options: Any) -> None:
        if self._stopped is not None:
            return
        stop = self._requested()
        if stop is None:
            generators = _random_state()
            try:
                super()._maybe_log_save_evaluate(*args, **options)
                return
            except StoppedBySignalError as stopped:  # raised by the evaluation, in the middle of it
                stop = stopped.number
                _restore_random_state(generators)
        self._stopped = stop
        self._evaluation_is_due = self.control.should_evaluate
        self.control.should_evaluate = False
        self.control.should_save = self.args.save_strategy != "no"
        super()._maybe_log_save_evaluate(*args, **options)
        self.control.should_training_stop = True

    def _run_epoch(self, *args: Any, **options: Any) -> None:
        self._catch_up(options["model"], options["epoch"])
        if self._stopped is None:
            super()._run_epoch(*args, **options)

    def _finalize_training(self, *args: Any, **options: Any) -> Any:
        self._catch_up(self.model_wrapped, self.state.epoch or 0)
        if self._stopped is None:
            return super()._finalize_training(*args, **options)
        self.control = self.callback_handler.on_train_end(self.args, self.state, self.control)
        saved = "" if self.args.save_strategy == "no" else " and saved"
        raise StoppedBySignalError(
            self._stopped,
            done=f"step {self.state.global_step} of {self.state.max_steps} finished{saved}",
            next_step=signals.HOW_TO_GO_ON,
        )

    def _catch_up(self, model: torch.nn.Module, epoch: float) -> None:
        """Put the loop's own state back after resuming; evaluate now if the checkpoint was saved before that."""
        resumed, self._resumed = self._resumed, None
        if resumed is None:
            return
        path = resumed / self._loop_file()
        if not path.is_file() and self._allow_changes:
            return
        with _reading(resumed):
            state = json.loads(path.read_text(encoding="utf-8"))
            self.load_loop_state(state)
            evaluate = bool(state["evaluate"])
        if evaluate:
            self._load_rng_state(str(resumed))
            self.control.should_log = False
            self.control.should_evaluate = self.control.should_save = True
            self._maybe_log_save_evaluate(self._tr_loss, None, model, None, epoch, None, time.time())

    def _requested(self) -> int | None:
        """The signal that came, to any of the processes."""
        number = signals.requested() or 0
        if self.args.world_size > 1:
            shared = torch.tensor(number, device=self.args.device)
            torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MAX)
            number = int(shared)
        return number or None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        checkpoint = checkpoint_path(folder, self.state.global_step)
        if self.is_world_process_zero():
            discard(checkpoint)  # remains of an earlier attempt
        self.accelerator.wait_for_everyone()
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                mark(checkpoint)
                rotate(folder, self._keep)
        except (OSError, RuntimeError, SafetensorError) as error:
            problem = _writing_problem(error, folder)
            if problem is None:
                raise
            if self.is_world_process_zero():
                discard(checkpoint)
            raise UserError(
                f"The checkpoint of step {self.state.global_step} cannot be saved: {problem}",
                where=str(folder),
                next_step=f"mend it (earlier checkpoints are whole), then {signals.HOW_TO_GO_ON}",
            ) from error
        self.accelerator.wait_for_everyone()

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        write_text(Path(output_dir) / self._loop_file(), json.dumps(self.loop_state()) + "\n")
        if self.is_world_process_zero():
            text = json.dumps(self._identity, ensure_ascii=False, indent=1, sort_keys=True)
            write_text(Path(output_dir) / IDENTITY, text + "\n")

    def _init_training_state(self, max_steps: int, *args: Any, **options: Any) -> Any:
        with _reading(self._resumed):
            trained = super()._init_training_state(max_steps, *args, **options)
        if self._resumed is not None:
            self.state.compute_steps(self.args, max_steps)
            self._find_best()
        return trained

    def _find_best(self) -> None:
        """Name the best checkpoint by its step, because the folder may have moved since."""
        step = self.state.best_global_step
        if not step:
            return
        best = checkpoint_path(Path(self.args.output_dir), step)
        if best == self._resumed or is_whole(best):
            self.state.best_model_checkpoint = str(best)
        elif self._allow_changes:
            logger.warning("the best checkpoint, of step %d, is lost; the best is sought anew from here", step)
            self.state.best_model_checkpoint = self.state.best_metric = None
            self.state.best_global_step = 0
        else:
            raise UserError("The best checkpoint is missing or damaged", where=str(best))

    def _require_files(self, checkpoint: Path) -> None:
        """Refuse a checkpoint that lacks what the stock Trainer would silently do without."""
        own = [self._loop_file(), self._rng_file()]
        needed = ["trainer_state.json", *([] if self._allow_changes else own)]
        if not self.is_deepspeed_enabled:
            needed += ["model.safetensors", "optimizer.pt", "scheduler.pt"]
        missing = [name for name in needed if not (checkpoint / name).is_file()]
        if self.is_deepspeed_enabled and not any(checkpoint.glob("global_step*")):
            missing.append("global_step*")
        if missing:
            raise UserError(
                f"The checkpoint lacks {', '.join(missing)}",
                where=str(checkpoint),
                next_step="resume with the launch file and the number of processes it was made with, or train without"
                " --resume",
            )

    def _loop_file(self) -> str:
        return f"loop_{self.args.process_index}.json"

    def _rng_file(self) -> str:
        return f"rng_state_{self.args.process_index}.pth" if self.args.world_size > 1 else "rng_state.pth"

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None and not (Path(checkpoint) / self._rng_file()).is_file():
            # Only a changed number of processes comes here; each process then draws a stream of its own.
            seed = hash((self.args.seed, self.args.process_index, self.state.global_step)) % 2**32
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            return
        with _reading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        with _reading(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self._allow_changes or self.is_deepspeed_enabled or checkpoint is None:
            with _reading(checkpoint):
                super()._load_optimizer_and_scheduler(checkpoint)
            return
        wanted = [(group["initial_lr"], group["weight_decay"]) for group in self.optimizer.param_groups]
        with _reading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)
        self.lr_scheduler.base_lrs = [rate for rate, _ in wanted]
        factors = [factor(self.lr_scheduler.last_epoch) for factor in self.lr_scheduler.lr_lambdas]
        for group, (rate, decay), factor in zip(self.optimizer.param_groups, wanted, factors, strict=True):
            group.update(initial_lr=rate, weight_decay=decay, lr=rate * factor)


class _WorkerStart:
    """Sets a data loading worker up as the Trainer wants it, and deaf to a first signal."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, worker: int) -> None:
        signals.keep_working()
        if self.inner is not None:
            self.inner(worker)


@contextmanager
def _reading(checkpoint: str | Path | None) -> Iterator[None]:
    """Name the checkpoint whose files are whole, but are not what they should be.

    Raises:
        UserError: in place of what torch, safetensors and json raise.
    """
    try:
        yield
    except (LlmrgError, OSError, MemoryError):
        raise
    except Exception as error:
        if checkpoint is None:
            raise
        raise UserError(
            f"The checkpoint does not hold what a training writes ({type(error).__name__})",
            where=str(checkpoint),
            next_step="remove it to resume from the one before, or train without --resume",
        ) from error


def _writing_problem(error: Exception, folder: Path) -> str | None:
    """What keeps files from being written, in words; None if that is not what went wrong.

    torch and safetensors report a full disk in exceptions of their own, torch without saying why.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    text = str(error)
    if isinstance(error, SafetensorError) or "PytorchStreamWriter" in text or "iostream error" in text:
        full = "os error 28" in text or shutil.disk_usage(folder).free < _LITTLE_ROOM
        return os.strerror(errno.ENOSPC) if full else " ".join(text.split())[:200]
    return None


def _random_state() -> tuple[Any, ...]:
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), on_gpu


def _restore_random_state(state: tuple[Any, ...]) -> None:
    python, arrays, tensors, on_gpu = state
    random.setstate(python)
    np.random.set_state(arrays)
    torch.set_rng_state(tensors)
    if on_gpu is not None:
        torch.cuda.set_rng_state_all(on_gpu)

"""A run that trains all fits of a group together: the trainer's side of a search.

    pass over the blocks -> sum each fit's losses -> ask its schedule -> drop, add -> next pass

It is a ``Run`` whose model is as wide as all fits together, and whose leases are of kind "search"
(see ``search.py`` of the runtime). Between two epochs no worker has a lease: then fits that are
done are taken out of the table and others put in, by making a new table for a new plan.

What must happen once in an epoch (schedules, scores) does not speak to the server; what speaks to
it may be done twice. So an epoch whose end the server does not live to see is ended later.
"""

import time
from dataclasses import replace

import numpy as np

from cirrus_runtime.protocol import Lease
from cirrus_runtime.search import read_losses
from cirrus_runtime.server import ParameterServer

from ._checkpoint import Checkpoint
from ._costs import costs_of
from ._recovery import load_slots
from ._rounds import train_leases
from ._trainer import Run
from .exceptions import DivergenceError, RunEnded

_FEW = 0.75  # of the columns still trained: then a narrower table is worth the copying


class SearchRun(Run):
    """A run of many fits; see :class:`~sklearn_cirrus._trainer.Run`.

    Parameters
    ----------
    job : TrainJob
    spec : ModelSpec
        Of any width.
    fits : Fits
    squares : float
        What adagrad's sums of squares start at.
    watch : object
        Is told of what happens and says what shall: ``after_epoch(run, fits)`` returns the
        candidates to drop and the fits to add, or None to stop; ``fail(fit, error)`` takes a fit
        that has diverged, ``finish(fit, table)`` the weights of one that is done, or if
        ``sums_losses(ended, fits)``, ``take_loss(fit, loss, seconds)`` its mean held-out loss, and
        how long it took to sum that up.
    place, n_workers, checkpoints, progress
        As of :class:`Run`.
    """

    goes_alone = False

    def __init__(self, job, spec, fits, squares, watch, *rest):
        super().__init__(job, spec, *rest)
        self.fits = fits
        self._known = {(fit.candidate, fit.split): fit for fit in fits.fits}
        self._squares = squares
        self._watch = watch
        self._plan = -1
        self._next = self._columns = None  # what the server is to get before the next epoch
        self._noted = -1  # the epoch that was last taken note of
        self._ended = []  # places of the fits that are to be handed over
        self._began = time.perf_counter()

    def create_table(self, slots):
        """Create the table of all fits; ``slots`` are those that all share."""
        fresh = {}
        for name in self._state_slots():
            if name in self.fits.starts:
                fresh[name] = self._fresh(name, self.spec.rows, self.fits.fits)
            elif self._start_of(name):  # a new table has zeros
                fresh[name] = self._start_of(name)
        self.create(fresh | slots | {"columns": self.fits.columns(0, 1)})

    def search(self, part):
        """Train until all fits are done or the watch stops them."""
        self._first.schedule = self.fits.state()
        self.train(part, None, self, False)

    # ---- What Run takes for the schedule

    def state(self):
        """Return what checkpoints keep of the fits."""
        return self.fits.state()

    def restore(self, state):
        """Go back to where :meth:`state` was called."""
        self.fits.restore(state, self._known)
        self._noted, self._next, self._columns, self._ended = -1, None, None, []

    def at(self, epoch):
        """Return the rate of the fit that others are relative to."""
        lead = self.fits.lead
        return lead.schedule.at(epoch - lead.born)

    # ---- Tables

    def _state_slots(self):
        """Return the names of the slots that are as wide as the table, without the columns'."""
        return [name for name in self.spec.slots if name not in ("scale", "columns")]

    def _fresh(self, name, rows, fits):
        """Return a slot of fits that have seen nothing."""
        return self.fits.fresh(name, rows, fits, self._start_of(name))

    def _start_of(self, name):
        """Return what the values of a slot start at."""
        return self._squares if name == "squares" else 0.0

    def _create(self, checkpoint):
        if checkpoint.schedule is not None:
            self.fits.restore(checkpoint.schedule, self._known)
        self._lay_out(checkpoint.slots, checkpoint.clock)

    def _lay_out(self, slots, clock):
        """Make the table of the fits as they are now, under a plan of its own."""
        plan = self.fits.plan()
        self._plan += 1
        self.place.store.put(self.keys.plan(self._plan), plan.encode())
        spec = replace(self.spec, width=plan.width)
        server = ParameterServer(self.place.engine, self.keys.table(self._plan))
        server.drop()
        server.create(spec, clock=clock)
        load_slots(server, slots)
        self.server, before = server, self.server
        self.spec = spec
        before.drop()

    def _save(self):
        info = self.server.info()
        self.checkpoints.put(
            Checkpoint(
                slots={name: self.server.dump(name) for name in self.spec.slots},
                clock=(info["steps"], info["rate"]),
                epoch=self._epoch,  # from its beginning: reports lose their bodies
                history=self.history,
                schedule=self.state(),
                generation=self.crew.generation,
            )
        )

    # ---- Epochs

    def _draw_up(self, kind):
        if kind == "held_out":
            names = [self.keys.block("train", i) for i in range(self._train.n_blocks)]
            return [
                Lease(0, kind, self._epoch, i, name, plan=self._plan)
                for i, name in enumerate(names)
            ]
        more = self._epoch, self, self.job.seed
        leases = train_leases(self.keys, self._train.n_blocks, *more)
        return [replace(lease, kind="search", plan=self._plan) for lease in leases]

    def _train_epoch(self):
        if self._next is not None:
            self._lay_out(*self._next)
            self._next = None
        elif self._columns is not None:
            self.server.load("columns", self._columns)
        self._columns = None
        reports = self._of_all("train")
        penalized = self.spec.penalized
        norms = self.server.norms(0, penalized)
        others = self.server.norms(penalized, self.spec.rows - penalized)
        if self._noted != self._epoch:
            self._added = self._note(reports, *self.fits.penalties(norms, others))
            self._noted = self._epoch
        self._hand_over()
        self._going = bool(self.fits.going or self._added) and not self._is_stopped
        if self._going:
            self._prepare()
        self._epoch += 1
        self._rounds, self._done = {}, {}
        self._restarts = self.crew.replaced = 0
        if self._epoch > self._furthest:
            self._furthest, self._setbacks = self._epoch, 0

    def _of_all(self, kind):
        """Return the reports of a round of all fits."""
        reports = self._await(kind)
        if not all(report.body for report in reports):
            raise RunEnded("a worker has not found the model")
        return reports

    def _note(self, reports, penalties, finite):
        """Take note of an epoch; return the fits that are to be added."""
        losses = sum(read_losses(report.body) for report in reports)
        now = time.perf_counter()
        share = (now - self._began) / len(self.fits.going)
        self._began = now
        for i, fit in enumerate(self.fits.fits):
            if fit.is_done:
                continue
            fit.seconds += share
            train_loss, held_loss = losses[0, i] / fit.trained, losses[1, i]
            if np.isfinite(train_loss) and finite[i]:
                fit.note(train_loss, penalties[i], held_loss / max(1, fit.tests))
                if fit.is_done:
                    self._ended.append(i)
            else:
                self._fail(fit)
        going = [fit.train_loss for fit in self.fits.fits if np.isfinite(fit.train_loss)]
        entry = {
            "epoch": self._epoch + 1,
            "fits": len(self.fits.going),
            "train_loss": float(np.mean(going)) if going else float("nan"),
            "updates": sum(report.updates for report in reports),
            "seconds": now - self._started,
            **costs_of(reports),
            "workers_replaced": self.crew.replaced,
            "server_restarts": self._restarts,
        }
        self.history.append(entry)
        wishes = self._watch.after_epoch(self, entry)
        self._progress(0, entry)
        if wishes is None:
            self._is_stopped = True
            return []
        dropped, added = wishes
        for i, fit in enumerate(self.fits.fits):
            if fit.candidate in dropped and not fit.is_done:
                fit.is_done = True
                self._ended.append(i)
        self._known |= {(fit.candidate, fit.split): fit for fit in added}
        # What a checkpoint did not know is to begin once more.
        there = {id(fit) for fit in self.fits.fits}
        lost = [f for f in self._known.values() if not f.is_done and id(f) not in there]
        for fit in lost:
            fit.begin(self._epoch + 1)
        return lost

    def _fail(self, fit):
        """End a fit that has diverged; the others go on."""
        fit.is_done = True
        fit.epochs += 1
        what = "the weights are" if np.isfinite(fit.train_loss) else "the loss is"
        self._watch.fail(
            fit,
            DivergenceError(
                f"training diverged in epoch {fit.epochs}: {what} not finite; "
                "choose a smaller learning_rate or scale the data"
            ),
        )

    def _prepare(self):
        """Work out what the server is to get before the next epoch; only reads from it."""
        kept = [i for i, fit in enumerate(self.fits.fits) if not fit.is_done]
        epoch, blocks = self._epoch + 1, self._train.n_blocks
        if not self._added and len(kept) > _FEW * len(self.fits.fits):
            self._columns = self.fits.columns(epoch, blocks)
            return
        info = self.server.info()
        places = self.fits.columns_of(kept)
        slots = {}
        for name in self._state_slots():
            values = self.server.dump(name)
            fresh = self._fresh(name, len(values), self._added)
            # The sums of a fit whose steps were huge may be infinite, which no table takes.
            slots[name] = np.nan_to_num(np.hstack([values[:, places], fresh]))
        if self.spec.scaled:
            slots["scale"] = self.server.dump("scale")
        self.fits.fits = [self.fits.fits[i] for i in kept] + self._added
        self._added = []
        slots["columns"] = self.fits.columns(epoch, blocks)
        self._next = slots, (info["steps"], info["rate"])

    _is_stopped = False
    _added = ()

    def _hand_over(self):
        """Hand over the fits that have ended, with their weights or their held-out losses."""
        fits, began = self.fits.fits, time.perf_counter()
        if self._ended and self._watch.sums_losses(len(self._ended), len(fits)):
            if self._cut:  # there is nothing left to pay another pass with
                losses = [fit.held_loss for fit in fits]
            else:
                losses = sum(read_losses(report.body)[1] for report in self._of_all("held_out"))
                losses = [loss / max(1, fit.tests) for loss, fit in zip(losses, fits, strict=True)]
            seconds = (time.perf_counter() - began) / len(self._ended)
            for i in self._ended:
                self._watch.take_loss(fits[i], losses[i], seconds)
        elif self._ended:
            tables = self.fits.tables(self.server.dump("weights"), self._ended)
            for i, table in zip(self._ended, tables, strict=True):
                self._watch.finish(fits[i], table)
        self._ended = []

    def _collect(self):
        """Hand over the fits that are not done: they end where they are."""
        for i, fit in enumerate(self.fits.fits):
            if not fit.is_done and fit.epochs:
                fit.is_done = True
                self._ended.append(i)
        self._hand_over()
        return self.history

"""The thread that takes tasks from joblib, has workers run them, and brings the results back.

How it is kept together:

1. One thread owns everything: tasks, attempts, workers, store. Others only put an act for it on
   its queue: joblib a task to submit (from the user's thread, or from this one, in a callback), a
   worker's handle its end, whoever ends a call the wish to cancel or to close.
2. Whatever happens, joblib is called back once for every task: it waits for ever otherwise. So
   nothing that a single task does may end the thread, and should the thread end by a defect, all
   tasks fail with what ended it.
3. A task is pickled here and not in ``submit``, which joblib calls with its lock held; one by one,
   as many ahead as there are workers, so that a worker that becomes free finds its next task ready.
4. A worker that is done gets its next task before the result of the last one is read.
"""

import collections
import logging
import queue
import threading

from ..exceptions import StoreError, TaskError, WorkerError
from .call_journal import STOPPED
from .pace import Pace
from .results import Outcome
from .task import Attempt, Task

_log = logging.getLogger(__name__)

_PATIENCE = 0.25  # seconds between two looks at what takes long
# How an attempt ends that may well succeed elsewhere; StoreError: the store has failed it.
_LOSSES = {"WorkerDied", "OutOfMemory", "StoreError"}
_CLOSE_SECONDS = 60.0  # that closing may take: workers on Lambda may notice late


class Dispatcher:
    """The tasks of one run.

    Parameters
    ----------
    open_run : callable
        Called once, by the thread, when there is a first task; gives a TaskRun.
    n_jobs : int
        How many tasks run at the same time.
    options : Options
    """

    def __init__(self, open_run, n_jobs, options):
        self._open_run = open_run
        self._n_jobs = n_jobs
        self._retries = options.retries
        self._timeout = options.task_timeout
        self._speculate = options.speculate is True
        self._lock = threading.Lock()  # of the four that follow
        self._acts = queue.SimpleQueue()
        self._n_tasks = self._n_called_back = 0
        self._is_over = False
        self._run = None
        self._unfinished = set()
        self._waiting = collections.deque()  # not packed yet
        self._ready = collections.deque()  # packed
        self._running = set()  # attempts
        self._pace = Pace()
        self._quiet = []  # events of those who wait until nothing runs any more
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="cirrus-dispatcher", daemon=True)
        self._thread.start()

    @property
    def is_busy(self):
        """Whether there is a task that joblib has not been called back for."""
        return self._n_called_back < self._n_tasks

    def submit(self, call, callback):
        """Take a batch of calls; never blocks and never raises.

        Returns
        -------
        Task
        """
        with self._lock:
            task = Task(self._n_tasks, call, callback)
            self._n_tasks += 1
            if not self._is_over:
                self._acts.put((self._take, task))
                return task
        self._finish(task, TaskError("the backend was closed before the task was submitted"))
        return task

    def cancel(self, timeout=10.0):
        """Fail all tasks, kill those that run, and wait until their workers have ended.

        The callbacks have been called when this returns (unless it is called in one of them).
        """
        self._ask(self._cancel, timeout)

    def close(self):
        """Cancel, end the thread, and free what the run has on workers and in the store."""
        self._ask(self._close, 0.0)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)
            if self._thread.is_alive():
                _log.warning("the backend's thread does not end within %g s", _CLOSE_SECONDS)

    def _ask(self, act, timeout):
        """Have the thread do something and set an event, and wait for that."""
        over = threading.Event()
        with self._lock:
            if self._is_over:
                return
            self._acts.put((act, over))
        if threading.current_thread() is not self._thread:
            over.wait(timeout)

    def _serve(self):
        """Act until the run is closed; then fail what is left and free everything."""
        error = TaskError("the backend was closed under the task")
        try:
            while not self._is_closing:
                self._act()
                self._fill()
                self._watch()
                if self._run is not None and self._run.look(self._unfinished, self._running):
                    self._fail_all(TaskError(STOPPED))
                if not self._running:
                    while self._quiet:
                        self._quiet.pop().set()
        except BaseException as defect:
            _log.exception("the backend's thread has failed")
            error = defect
        finally:
            with self._lock:
                self._is_over = True
            self._fail_all(error)
            if self._run is not None:
                self._run.close()

    def _act(self):
        """Do what comes next: what was asked for, else prepare a task, else wait."""
        try:
            if self._waiting and len(self._ready) < self._n_jobs:
                act, subject = self._acts.get_nowait()
            else:
                act, subject = self._acts.get(timeout=self._patience())
        except queue.Empty:
            if self._waiting:
                self._prepare(self._waiting.popleft())
            return
        act(subject)

    def _patience(self):
        """Return how long nothing need happen."""
        if self._run is not None and self._run.journal.is_on:
            return _PATIENCE  # somebody may want a stop
        return _PATIENCE if self._running and (self._timeout or self._speculate) else None

    def _take(self, task):
        self._unfinished.add(task)
        self._waiting.append(task)

    def _prepare(self, task):
        """Pack a task; it is ready then."""
        try:
            if self._run is None:
                self._run = self._open_run()
            task.job = self._run.pack(task.number, task.call)
        except Exception as error:  # the task's own code may raise anything when it is pickled
            self._finish(task, error)
            return
        task.call = None
        self._ready.append(task)

    def _fill(self):
        """Give tasks that are ready to workers that are free."""
        while self._ready and len(self._running) < self._n_jobs:
            if not self._start(self._ready.popleft()):
                return

    def _start(self, task):
        """Start an attempt; return whether another one can be started."""
        try:
            handle = self._run.start(task.job, task.attempts)
        except WorkerError as error:
            if not self._running:
                self._finish(task, error)
                return True
            _log.debug("task %d waits: %s", task.number, error)
            self._ready.appendleft(task)
            return False
        attempt = Attempt(task, task.attempts, handle)
        task.attempts += 1
        task.running.append(attempt)
        self._running.add(attempt)
        handle.watch(lambda _: self._acts.put((self._end, attempt)))
        return True

    def _end(self, attempt):
        """Take up how an attempt has ended."""
        task, result = attempt.task, attempt.handle.poll()
        self._running.discard(attempt)
        task.running.remove(attempt)
        self._fill()
        if task.is_done:  # cancelled, or a copy was faster
            return
        if attempt.is_late:
            what = f"task {task.number} ({task.size} calls) took longer than task_timeout"
            self._finish(task, TimeoutError(f"{what}={self._timeout:g} s and was ended"))
        elif result.ok:
            self._pace.note(attempt)
            try:
                outcome = self._run.read(result.report, task.job, attempt.number)
            except TaskError as error:
                self._finish(task, error)
            else:
                self._finish(task, outcome=outcome)
        elif result.error_type in _LOSSES:
            self._retry(task, result)
        else:
            self._finish(task, TaskError(result.error))

    def _retry(self, task, result):
        """Run a task again whose worker has ended under it, if that was not too often."""
        task.losses += 1
        self._run.losses += 1
        self._run.journal.note_fault(f"task {task.number}: {result.error}")
        full = result.error_type == "OutOfMemory"
        if task.running:  # its copy goes on
            return
        if task.losses <= (min(self._retries, 1) if full else self._retries):
            _log.warning("task %d is run again: %s", task.number, result.error)
            self._ready.appendleft(task)
            return
        self._finish(task, task.loss(result))

    def _watch(self):
        """Kill what takes longer than it may; start copies of what takes much longer than most."""
        if self._timeout is not None:
            for attempt in self._running:
                if not attempt.is_late and attempt.elapsed > self._timeout:
                    attempt.is_late = True
                    attempt.handle.kill()
        if self._speculate and not self._waiting and not self._ready:
            for task in self._pace.stragglers(self._running):
                if len(self._running) >= self._n_jobs:
                    return
                _log.debug("task %d gets a second worker", task.number)
                self._run.copies += self._start(task)

    def _finish(self, task, error=None, outcome=None):
        """End a task: free what it has, end its other attempts, call joblib back."""
        job = task.job
        if self._run is not None:
            self._run.journal.note_failure(error or outcome.error)
        with self._lock:
            # Before joblib is called back: it may end the call before the callback has returned.
            self._n_called_back += not task.is_done
        try:
            task.finish(outcome or Outcome(error=error))
        except Exception:  # joblib's callback, which may print and runs the user's iterator
            _log.exception("the callback of task %d has failed", task.number)
        self._unfinished.discard(task)
        for attempt in task.running:
            attempt.handle.kill()
        if job is None:
            return
        try:
            self._run.discard(job, task.size if error is None else 0)
        except StoreError as refused:
            _log.warning("task %d: %s", task.number, refused)

    def _cancel(self, over):
        """Fail all tasks; the event is set when nothing runs any more."""
        if self._run is not None:
            self._run.journal.note_interrupt()
        self._fail_all(TaskError("the task was cancelled, as the call that it belongs to ended"))
        self._quiet.append(over)

    def _close(self, over):
        self._is_closing = True
        over.set()

    def _fail_all(self, error):
        """Fail every task that there is, also those that nobody has looked at yet."""
        acts = []
        while not self._acts.empty():
            acts.append(self._acts.get())
        for act, subject in acts:
            if act == self._take:
                self._unfinished.add(subject)
            elif isinstance(subject, threading.Event):
                subject.set()
            elif not self._is_over:
                self._acts.put((act, subject))
        self._waiting.clear()
        self._ready.clear()
        for task in sorted(self._unfinished, key=lambda task: task.number):
            self._finish(task, error)

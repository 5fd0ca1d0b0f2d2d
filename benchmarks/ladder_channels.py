"""How driver and workers of ``lambda_ladder.py`` reach each other: see ``ladder_handler.py``."""

from concurrent.futures import ThreadPoolExecutor

from emulated_cloud import BUCKET
from ladder_handler import Poll

_WAIT_SECONDS = 60  # until a worker must have answered


class Calls:
    """An invocation is a gradient; model and gradient are objects of the store.

    Parameters
    ----------
    driver : Driver
    rung : Rung
    prefix : str
        Of the names of this run.
    threads : ThreadPoolExecutor
        As many as there are workers.
    """

    def __init__(self, driver, rung, prefix, threads):
        self.driver, self.rung, self.prefix, self.threads = driver, rung, prefix, threads
        self.s3 = driver.cloud.s3
        self.workers = range(driver.n_workers)

    def publish(self, step, model):
        """Let the workers have the model of a step, as bytes."""
        self.step = step
        self.s3.put_object(Bucket=BUCKET, Key=self.prefix + "model", Body=model)

    def collect(self):
        """Return what each worker answers, as bytes."""
        return list(self.threads.map(self._call, self.workers))

    def _call(self, worker):
        """Invoke a worker and fetch its gradient."""
        self.driver.invoke(self.driver.event(self.rung, self.prefix, worker) | {"step": self.step})
        answer = self.s3.get_object(Bucket=BUCKET, Key=f"{self.prefix}gradient-{worker}")
        return answer["Body"].read()

    def close(self):
        """Nothing stays."""


class Store(Calls):
    """Invocations that stay; driver and workers look into the store again and again."""

    def __init__(self, driver, rung, prefix, threads):
        super().__init__(driver, rung, prefix, threads)
        events = [driver.event(rung, prefix, worker) for worker in self.workers]
        self.polls = [
            Poll(self.s3, BUCKET, f"{prefix}gradient-{worker}") for worker in self.workers
        ]
        self.invoking = ThreadPoolExecutor(driver.n_workers)
        self.running = [self.invoking.submit(driver.invoke, event) for event in events]

    def collect(self):
        return [poll.wait(_WAIT_SECONDS) for poll in self.polls]

    def close(self):
        self.s3.put_object(Bucket=BUCKET, Key=self.prefix + "model", Body=b"")
        self._await_end()

    def _await_end(self):
        """Wait for the workers; raise what one of them failed with."""
        self.invoking.shutdown()
        for ended in self.running:
            ended.result()


class Redis(Store):
    """Invocations that stay; Redis has the model and wakes who waits."""

    def __init__(self, driver, rung, prefix, threads):
        self.client = driver.cloud.client
        super().__init__(driver, rung, prefix, threads)

    def publish(self, step, model):
        self.client.set(self.prefix + "model", model)
        self._wake(step)

    def collect(self):
        answers = []
        for _ in self.workers:
            woken = self.client.blpop(self.prefix + "done", _WAIT_SECONDS)
            if woken is None:
                raise TimeoutError(f"no gradient for {_WAIT_SECONDS} s")
            answers.append(woken[1])
        return answers

    def close(self):
        self._wake(-1)
        self._await_end()
        names = ("model", "done", *(f"todo-{worker}" for worker in self.workers))
        self.client.delete(*(self.prefix + name for name in names))

    def _wake(self, step):
        """Tell every worker of a step."""
        with self.client.pipeline() as pipe:
            for worker in self.workers:
                pipe.rpush(f"{self.prefix}todo-{worker}", step)
            pipe.execute()


CHANNELS = {"call": Calls, "stay": Store, "redis": Redis}

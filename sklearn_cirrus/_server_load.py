"""What the servers of a run hold and how busy they are, asked of them now and then."""

import time

import redis


class ServerLoad:
    """Asks the servers of one run; what is told of a time is since the question before."""

    def __init__(self):
        self._before = {}  # by place of the server: when, commands and processor seconds so far

    def ask(self, clients):
        """Return how the servers stand, or None if one does not say.

        A question is one round trip to each server, for three sections of INFO.

        Parameters
        ----------
        clients : list of redis.Redis
            One for each server.

        Returns
        -------
        dict or None
            ``server_memory`` and ``server_limit`` are bytes in use and bytes that may be (0: no
            limit), summed over the servers; ``server_ops`` are commands a second, summed, of all
            who use the servers; ``server_load`` is the share of a core that the busiest server
            has used. The last two are None the first time.
        """
        try:
            answers = [_ask(client) for client in clients]
        except redis.RedisError:
            return None  # the trainer will meet the same, or the user may not ask
        if not answers:
            return None
        speeds = [self._speeds(place, *now) for place, (_, _, *now) in enumerate(answers)]
        known = None not in speeds
        limits = [limit for _, limit, *_ in answers]
        return {
            "server_memory": sum(used for used, *_ in answers),
            "server_limit": sum(limits) if all(limits) else 0,
            "server_ops": sum(ops for ops, _ in speeds) if known else None,
            "server_load": max(load for _, load in speeds) if known else None,
        }

    def _speeds(self, place, commands, processor):
        """Return commands and processor seconds of a server, a second; None if not known yet."""
        now = time.perf_counter(), commands, processor
        before = self._before.get(place)
        self._before[place] = now
        if before is None or commands < before[1]:  # another server has taken its place
            return None
        passed = now[0] - before[0]
        return (commands - before[1]) / passed, (processor - before[2]) / passed


def _ask(client):
    """Return bytes used and allowed, commands and processor seconds so far."""
    with client.pipeline(transaction=False) as pipeline:
        for section in ("memory", "stats", "cpu"):  # Redis 6 takes one at a time
            pipeline.info(section)
        memory, stats, cpu = pipeline.execute()
    return (
        memory["used_memory"],
        memory.get("maxmemory", 0),
        stats["total_commands_processed"],
        cpu["used_cpu_sys"] + cpu["used_cpu_user"],
    )

"""Flink's own counters, as the TaskManager's reporter gives them at the moment of asking."""

import re
import urllib.request

from streamgauge.config import Config

_LINE = re.compile(r"^flink_taskmanager_job_task_operator_(\w+)\{(.*)\} (\S+)$")
_JOB = re.compile(r'job_name="([^"]*)"')
_OPERATOR = re.compile(r'operator_name="([^"]*)"')


class FlinkCounters:
    """Counters and gauges of operators, summed over their subtasks."""

    def __init__(self, config: Config) -> None:
        self._url = f"http://127.0.0.1:{config.local.flink_metrics_ports[1]}/metrics"

    def of(self, operator: str, *names: str, job: str = "") -> dict[str, float]:
        """The sum of each metric over the subtasks of the operators whose name holds this text; 0 if there is none.

        :param job: a part of the job's name.

        :raises OSError: if the TaskManager does not answer.
        """
        found = dict.fromkeys(names, 0.0)
        with urllib.request.urlopen(self._url, timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                matched = _LINE.match(line)
                if not matched or matched[1] not in found:
                    continue
                named, of_job = _OPERATOR.search(matched[2]), _JOB.search(matched[2])
                if named and of_job and operator in named[1].replace("_", " ") and job in of_job[1]:
                    found[matched[1]] += float(matched[3])
        return found

"""Hosts, from what node_exporter exposes."""

from dashboards.model import Dashboard, Figure, Panel, Query, Row, Variable

_HOST = 'job=~"$job",instance=~"$instance"'
_DISK = f'{_HOST},device!~"loop.*|ram.*|sr.*"'
_FILES = f'{_HOST},fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660"'
_NETWORK = f'{_HOST},device!~"lo|veth.*|docker.*|br-.*"'
_IDLE = f'{_HOST},mode="idle"'
_NOT_IDLE = f'{_HOST},mode!="idle"'
_OF = "{{instance}}"


def _used(free: str, total: str, where: str) -> str:
    return f"1 - {free}{{{where}}} / {total}{{{where}}}"


def _rate(metric: str, where: str = _HOST) -> str:
    return f"rate({metric}{{{where}}}[$__rate_interval])"


_BUSY = f"1 - avg by (instance) ({_rate('node_cpu_seconds_total', _IDLE)})"
_MEMORY = _used("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", _HOST)
_SPACE = _used("node_filesystem_avail_bytes", "node_filesystem_size_bytes", _FILES)

_OVERVIEW = Row(
    "At a glance",
    (
        Figure(
            "Hosts up",
            (Query(f"sum(up{{{_HOST}}})"),),
            "Targets that answered the last scrape.",
            thresholds=(),
        ),
        Figure(
            "Hosts down",
            (Query(f"count(up{{{_HOST}}} == 0) or vector(0)"),),
            "Targets that did not; the page of the gateway says why.",
            thresholds=((1, "red"),),
        ),
        Figure(
            "Busiest processor",
            (Query(f"max({_BUSY})"),),
            "Of all hosts chosen.",
            "percentunit",
            ((0.8, "orange"), (0.95, "red")),
        ),
        Figure(
            "Fullest memory",
            (Query(f"max({_MEMORY})"),),
            "What programs could not get, cached files not counted.",
            "percentunit",
            ((0.8, "orange"), (0.95, "red")),
        ),
        Figure(
            "Fullest disk",
            (Query(f"max({_SPACE})"),),
            "Of all file systems that are on disks.",
            "percentunit",
            ((0.8, "orange"), (0.9, "red")),
        ),
        Figure(
            "Youngest",
            (Query(f"min(time() - node_boot_time_seconds{{{_HOST}}})"),),
            "How long ago the host started that started last.",
            "s",
        ),
    ),
)

_PROCESSOR = Row(
    "Processor and memory",
    (
        Panel(
            "Busy", (Query(_BUSY, _OF),), "The part of all cores that was not idle.", "percentunit", ceiling=1
        ),
        Panel(
            "By mode",
            (
                Query(
                    f"sum by (mode) ({_rate('node_cpu_seconds_total', _NOT_IDLE)})",
                    "{{mode}}",
                ),
            ),
            "Cores of all hosts chosen; iowait is waiting for disks, steal what a hypervisor gave to others.",
            "cores",
            stacked=True,
        ),
        Panel(
            "Load for each core",
            (
                Query(
                    f"sum by (instance) (node_load1{{{_HOST}}}) / "
                    f'count by (instance) (node_cpu_seconds_total{{{_HOST},mode="idle"}})',
                    _OF,
                ),
            ),
            "Above 1 programs wait for a core or for a disk.",
        ),
        Panel("Memory used", (Query(_MEMORY, _OF),), "Cached files do not count.", "percentunit", ceiling=1),
        Panel(
            "Swapped out",
            (Query(f"node_memory_SwapTotal_bytes{{{_HOST}}} - node_memory_SwapFree_bytes{{{_HOST}}}", _OF),),
            "It harms only where it changes.",
            "bytes",
        ),
        Panel(
            "Waiting",
            (
                Query(_rate("node_pressure_cpu_waiting_seconds_total"), f"{_OF} for a core"),
                Query(_rate("node_pressure_io_waiting_seconds_total"), f"{_OF} for a disk"),
                Query(_rate("node_pressure_memory_waiting_seconds_total"), f"{_OF} for memory"),
            ),
            "The part of the time in which some program could not go on, as the kernel counts it.",
            "percentunit",
        ),
    ),
)

_DISKS = Row(
    "Disks",
    (
        Panel(
            "Space used",
            (Query(_SPACE, f"{_OF} {{{{mountpoint}}}}"),),
            "Of what programs may use.",
            "percentunit",
            ceiling=1,
        ),
        Panel(
            "Files used",
            (
                Query(
                    _used("node_filesystem_files_free", "node_filesystem_files", _FILES),
                    f"{_OF} {{{{mountpoint}}}}",
                ),
            ),
            "A file system without inodes is full, however much space it has.",
            "percentunit",
            ceiling=1,
        ),
        Panel(
            "Busy",
            (Query(_rate("node_disk_io_time_seconds_total", _DISK), f"{_OF} {{{{device}}}}"),),
            "The part of the time in which the disk had something to do.",
            "percentunit",
            ceiling=1,
        ),
        Panel(
            "Read",
            (Query(_rate("node_disk_read_bytes_total", _DISK), f"{_OF} {{{{device}}}}"),),
            "From the disk, not from memory.",
            "Bps",
            width=12,
        ),
        Panel(
            "Written",
            (Query(_rate("node_disk_written_bytes_total", _DISK), f"{_OF} {{{{device}}}}"),),
            "To the disk.",
            "Bps",
            width=12,
        ),
    ),
)

_NETWORKING = Row(
    "Network and kernel",
    (
        Panel(
            "Received",
            (Query(_rate("node_network_receive_bytes_total", _NETWORK), f"{_OF} {{{{device}}}}"),),
            "By device; those of containers are left out.",
            "Bps",
        ),
        Panel(
            "Sent",
            (Query(_rate("node_network_transmit_bytes_total", _NETWORK), f"{_OF} {{{{device}}}}"),),
            "By device; those of containers are left out.",
            "Bps",
        ),
        Panel(
            "Errors and drops",
            (
                Query(
                    f"{_rate('node_network_receive_errs_total', _NETWORK)} > 0",
                    f"{_OF} {{{{device}}}} received wrongly",
                ),
                Query(
                    f"{_rate('node_network_transmit_errs_total', _NETWORK)} > 0",
                    f"{_OF} {{{{device}}}} sent wrongly",
                ),
                Query(
                    f"{_rate('node_network_receive_drop_total', _NETWORK)} > 0",
                    f"{_OF} {{{{device}}}} dropped",
                ),
            ),
            "Nothing is drawn while there are none.",
            "pps",
        ),
        Panel(
            "Processes",
            (
                Query(f"node_procs_running{{{_HOST}}}", f"{_OF} running"),
                Query(f"node_procs_blocked{{{_HOST}}}", f"{_OF} waiting for a disk"),
            ),
            "Of the whole host.",
        ),
        Panel(
            "Open files",
            (
                Query(
                    f"node_filefd_allocated{{{_HOST}}} / node_filefd_maximum{{{_HOST}}}",
                    _OF,
                ),
            ),
            "Of what the kernel allows.",
            "percentunit",
        ),
        Panel(
            "Clock",
            (Query(f"node_timex_offset_seconds{{{_HOST}}}", _OF),),
            "How far the clock is from what it should be; samples from the future are refused.",
            "s",
            floor=None,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="streamgauge-hosts",
    title="Hosts",
    text="Processors, memory, disks and networks of hosts with node_exporter.",
    rows=(_OVERVIEW, _PROCESSOR, _DISKS, _NETWORKING),
    variables=(Variable("job", "node_uname_info"), Variable("instance", "node_uname_info")),
)

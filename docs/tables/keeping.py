"""Tables of what is kept: records, faults and hostile files."""

from collections.abc import Iterator
from typing import Any

from docs.tables.raw import median_of, read, table


def ledger() -> str:
    """Return the table of what the ledger costs: medians over repeats."""
    rows = []
    for store, records, steps in _ledger():
        write, resume, verify = steps["writing"], steps["resuming"], steps["verifying"]
        rows.append(
            (
                store,
                f"{records:,}",
                *(
                    f"{median_of(write, step, 'median'):.1f} ({median_of(write, step, 'p95'):.1f})"
                    for step in ("claim_ms", "put_ms", "keep_ms")
                ),
                f"{median_of(write, 'share_of_1_s'):.2%}",
                f"{median_of(resume, 'wall_s'):.1f}",
                _processor(resume),
                _processor(steps["resuming_by_s3fs"]) if "resuming_by_s3fs" in steps else "",
                f"{median_of(verify, 'seal', 'wall_s'):.1f}, {median_of(verify, 'wall_s'):.1f}",
                ", ".join(
                    f"{max(0.0, figure):.0f}"  # below what there was: what had been freed before was used again
                    for figure in (
                        median_of(resume, "memory_mb"),
                        median_of(verify, "seal", "memory_mb"),
                        median_of(verify, "memory_mb"),
                    )
                ),
            )
        )
    heads = (
        "store",
        "records",
        "claimed, ms: median (95 %)",
        "written, ms",
        "kept, ms",
        "both, share of 1 s",
        "resumed, s",
        "processor, s",
        "the same by s3fs",
        "sealed, verified, s",
        "memory of these three, MB",
    )
    return table(heads, rows)


def ledger_batches() -> str:
    """Return the table of one object a record beside batches: medians over repeats."""
    rows = []
    for store, records, steps in _ledger():
        write, verify, batch = steps["writing"], steps["verifying"], steps["batching"]
        for name, size, written, all_read, find in (
            (
                "a record",
                median_of(write, "bytes_a_record"),
                write,
                [row["seal"] for row in verify],
                "get_one_record_ms",
            ),
            (
                "100 records",
                median_of(batch, "bytes_a_record"),
                [row["write"] for row in batch],
                [row["read"] for row in batch],
                "find_one_ms",
            ),
        ):
            rows.append(
                (
                    store,
                    f"{records:,}",
                    name,
                    f"{size:,.0f}",
                    f"{median_of(written, 'records_per_s'):,.0f}",
                    f"{median_of(all_read, 'wall_s'):.1f}",
                    _processor(all_read),
                    f"{median_of(batch, find, 'median'):.1f}",
                )
            )
    heads = ("store", "records", "an object is", "bytes a record", "written a second", "all read, s", "processor, s")
    return table((*heads, "one found, ms"), rows)


def _ledger() -> Iterator[tuple[str, int, dict[str, list[dict[str, Any]]]]]:
    """Yield each store and size with its rows by step; of what was resumed only by questions of 1,000."""
    found: dict[tuple[str, int], dict[str, list[dict[str, Any]]]] = {}
    for row in read("ledger")["results"]:
        if row.get("question", 1000) == 1000:
            steps = found.setdefault((row["store"], row["records"]), {})
            steps.setdefault(row["step"], []).append(row)
    for (store, records), steps in sorted(found.items()):
        yield store, records, steps


def _processor(rows: list[dict[str, Any]]) -> str:
    """Return the seconds of the process, and of the server where there is one."""
    own = f"{median_of(rows, 'processor_s'):.1f}"
    return f"{own} + {median_of(rows, 'server_s'):.1f}" if "server_s" in rows[0] else own


def faults() -> str:
    """Return the table of what each kind of fault did to runs."""
    result = read("faults")
    rows = [
        (
            result["kinds"][entry["kind"]],
            entry["hit"],
            entry["driver_went_on"],
            ", ".join(f"{count} × {_ENDS[code]}" for code, count in entry["exit_codes"].items()),
            f"{entry['goes_on_s_median']:.0f} ({entry['goes_on_s_longest']:.0f})",
        )
        for entry in result["summary"]["by_kind"]
    ]
    heads = ("fault", "hit", "the driver went on", "the driver ended", "went on after, s: median (longest)")
    return table(heads, rows)


_ENDS = {"-9": "killed", "1": "exit code 1"}


def faults_in_all() -> str:
    """Return the table of what a campaign of faults came to."""
    result = read("faults")
    whole, races = result["summary"], result["races"]
    leases, commands = races["leases"], races["commands"]
    rows = [
        ("faults that hit", whole["faults"]),
        ("runs", f"{whole['runs']}, by {whole['sessions']} drivers, one after the other"),
        ("records", whole["records"]),
        ("lost or changed records", whole["lost_records"]),
        ("fronts that are not bit for bit those of an undisturbed run", whole["corrupt_front"]),
        ("evaluations measured twice", f"{whole['repeated']}, of at most {whole['in_flight']} in flight"),
        ("races for a lease, of which exactly one driver went on", f"{leases['races']}, {leases['exactly_one']}"),
        ("races of two `mapmerge resume`, the same", f"{commands['races']}, {commands['exactly_one']}"),
    ]
    return table(("", ""), rows)


def hostile() -> str:
    """Return the table of what readers did with hostile inputs."""
    rows = [
        (
            _READERS[entry["reader"]],
            f"{entry['inputs']:,}",
            f"{entry['accepted']:,}",
            f"{sum(entry['refused'].values()):,}",
            entry["crashes"],
            f"{entry['slowest_s']:.2f}",
            f"{entry['memory_mb']:.0f}",
        )
        for entry in read("hostile")["summary"]
    ]
    heads = ("reader of", "inputs", "accepted", "refused", "crashes", "slowest, s", "memory, MB")
    return table(heads, rows)


_READERS = {"study": "study files", "record": "evaluation records", "header": "safetensors headers", "run": "runs"}

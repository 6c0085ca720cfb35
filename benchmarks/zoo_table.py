"""Every network of the zoo exported and checked, written as docs/zoo.md.

    python benchmarks/zoo_table.py [NAME ...] [--write docs/zoo.md] [--keep FILE.json] [--timeout 900]

Each network has a process of its own, so that one that hangs or dies is a row and not the end. With --keep, figures are
read from the file first and added to it, so that a run can be gone on with.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from zoo.all_networks import all_networks
from zoo.entry import ZooNetwork
from zoo.measure import C_SAMPLES, CHIP, LAVA_NEURONS, LAVA_SAMPLES, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="all without any")
    parser.add_argument("--write", type=Path, help="file to write; printed without it")
    parser.add_argument("--keep", type=Path, help="figures so far, JSON")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds for a network")
    arguments = parser.parse_args()
    networks, missing = all_networks()
    if unknown := set(arguments.names) - {network.name for network in networks}:
        parser.error(f"no network named {', '.join(sorted(unknown))}")
    chosen = [network for network in networks if not arguments.names or network.name in arguments.names]
    kept = arguments.keep
    figures: dict[str, Any] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    for network in chosen:
        if network.name in figures:
            continue
        figures[network.name] = in_own_process(network, arguments.timeout)
        print(f"{network.name}: {summary(figures[network.name])}", file=sys.stderr, flush=True)
        if kept:
            kept.write_text(json.dumps(figures, indent=1))
    text = page([network for network in networks if network.name in figures], figures, missing)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    else:
        print(text)


def measure_here(network: ZooNetwork, path: Path) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        path.write_text(json.dumps(measure(network, Path(folder))))


def in_own_process(network: ZooNetwork, timeout: float) -> dict[str, Any]:
    """Forked, so that the frameworks are imported once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        process = multiprocessing.get_context("fork").Process(target=measure_here, args=(network, path))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            return {"outcome": "failed", "line": f"not done after {timeout:.0f} s"}
        if not path.exists():
            return {"outcome": "failed", "line": f"exit code {process.exitcode}"}
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def compared(figures: dict[str, Any]) -> tuple[int, int, int]:
    """Values of module and graph compared, ties of float rounding, and differences that follow from these."""
    verification = figures["verification"] or {"layers": [], "ties": [], "after_ties": 0}
    total = sum(layer["compared"] for layer in verification["layers"])
    return total, len(verification["ties"]), verification["after_ties"]


def summary(figures: dict[str, Any]) -> str:
    if figures["outcome"] != "exported":
        return f"{figures['outcome']}: {figures['line']}"
    values, ties, _ = compared(figures)
    engines = f"C {engine('c', figures)}; Lava {engine('lava', figures)}"
    return f"exported, {values:,} values equal to the module's, {ties} ties; {engines}"


def engine(name: str, figures: dict[str, Any]) -> str:
    found = figures[name]
    if "why" in found:
        return f"not run: {found['why']}"
    return f"{found['mismatches']:,} of {found['compared']:,} differ"


def as_expected(network: ZooNetwork, figures: dict[str, Any]) -> bool:
    """Exported, or refused where the chip can't or the capture does not follow."""
    return figures["outcome"] == ("refused" if network.refused_for or network.not_followed else "exported")


def row(network: ZooNetwork, figures: dict[str, Any]) -> list[str]:
    named = [network.name, network.framework, network.follows]
    if figures["outcome"] != "exported":
        line = figures["line"].replace("|", "\\|")
        return [*named, figures["outcome"], "-", "-", "-", "-", "-", line]
    values, ties, after = compared(figures)
    note = f"{ties} ties of float rounding, {after} spikes after them" if ties else ""
    sizes = [f"{figures['neurons']:,}", f"{figures['synapses']:,}"]
    engines = [engine(name, figures) for name in ("c", "lava")]
    return [*named, "yes", *sizes, f"{values:,}" if values else "-", *engines, note]


def page(networks: list[ZooNetwork], figures: dict[str, Any], missing: list[str]) -> str:
    header = ["network", "framework", "follows", "exported", "neurons", "synapses", "compared with the module",
              "C against the simulator", "Lava against the simulator", "note"]  # fmt: skip
    lines = [header, ["---"] * len(header), *(row(network, figures[network.name]) for network in networks)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    outcomes = Counter(figures[network.name]["outcome"] for network in networks)
    exported = [found for found in (figures[network.name] for network in networks) if found["outcome"] == "exported"]
    values, ties, after = (sum(each) for each in zip(*map(compared, exported), strict=True))
    in_c, in_lava = ([f[name] for f in exported if "why" not in f[name]] for name in ("c", "lava"))
    c_values, c_differ = (sum(found[key] for found in in_c) for key in ("compared", "mismatches"))
    lava_values, lava_differ = (sum(found[key] for found in in_lava) for key in ("compared", "mismatches"))
    samples = "one sample" if LAVA_SAMPLES == 1 else f"{LAVA_SAMPLES} samples"
    refusals = "\n".join(
        f"- {network.name}: {network.refused_for}" for network in networks if network.refused_for
    )  # fmt: skip
    not_followed = "\n".join(
        f"- {network.name}: {network.not_followed}" for network in networks if network.not_followed
    )  # fmt: skip
    surprises = "\n".join(
        f"- {network.name}: {summary(figures[network.name])}"
        for network in networks
        if not as_expected(network, figures[network.name])
    )
    absent = f"\nNot installed here, and so without their networks: {', '.join(missing)}.\n" if missing else ""
    return f"""# The zoo: networks as their frameworks write them

Written by `python benchmarks/zoo_table.py --write docs/zoo.md`; do not edit.

{len(networks)} networks after the frameworks' own tutorials and model zoos (`benchmarks/zoo/`), with random weights
under which every layer fires: {outcomes["exported"]} exported for {CHIP}, {outcomes["refused"]} refused,
{outcomes["failed"]} failed. Each was handed to `dalif_deploy.export` as it is, with real samples; a ReLU network
went through `dalif_deploy.convert` first. In all {values:,} values of running modules were compared with their graphs':
{ties} ties of rounding, {after} differences after these, no others (any other stops an export).
Of {lava_values:,} values of {len(in_lava)} networks in Lava {lava_differ:,} differed from the simulator's,
of {c_values:,} values of {len(in_c)} networks as C {c_differ:,}.

- *compared with the module*: spikes (and membranes that are read) of every layer, of the running module and of the
  graph that was captured from it, all equal but for ties, which the note counts: membranes so near their threshold that
  the rounding of floats decides.
- *C against the simulator*: the same of the code that target c writes, in its fast form, {C_SAMPLES} samples, for
  networks of any size.
- *Lava against the simulator*: spikes and membranes of the exported integers, {samples}, for networks of
  up to {LAVA_NEURONS:,} neurons, and of some larger ones.
{absent}
{table}

What the chip can't compute, known before:

{refusals or "- nothing"}

What the capture does not follow, though the chip could compute it:

{not_followed or "- nothing"}

Neither exported nor refused for any of these:

{surprises or "- none"}
"""


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A table of ratios from lines of small benchmarks, the worst first, and a picture of them.

    table.py LINES.jsonl [--threads 1] [--svg FILE] [--full]

The lines are those of `micro` and of other peers for the same cases (bench, peer, size, dtype, threads, median_s); of several lines of one
case the last counts. A ratio is our time over theirs: below 1 we are faster. The peer "machine" is the least time that the machine takes,
so nothing is below 1 there but what its loops by hand do badly. Without --full the table has the median, the greatest and
the number of cases of each family, then the cases at 1 and above beside another library.

Results of the same inputs are compared too: those that disagree are listed, and make the exit status 1.
"""

import argparse
import json
import math
import statistics
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("lines")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--svg")
parser.add_argument("--full", action="store_true")
options = parser.parse_args()

# How far a sum may be off, of the sum of magnitudes, and an element, of itself or the mean magnitude.
TOLERANCE = {"f32": 1e-3, "f64": 1e-7}

times, results, peers = {}, {}, []
for line in open(options.lines, encoding="utf-8"):
    row = json.loads(line)
    if row["threads"] == options.threads:
        # What only one side has to say of its size (the number of equations) is no part of the case.
        size = "" if row["bench"].startswith("compile/") else row["size"]
        case = (row["bench"], size, row["dtype"])
        times.setdefault(case, {})[row["peer"]] = row["median_s"]
        if "result" in row:
            results.setdefault(case, {})[row["peer"]] = row["result"]
        if row["peer"] not in peers + ["wengert", "machine"]:
            peers.append(row["peer"])
columns = peers + ["machine"] * any("machine" in t for t in times.values())

cases = [(case, t) for case, t in times.items() if "wengert" in t and len(t) > 1]


def shown(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def ratio(t, peer):
    return t["wengert"] / t[peer] if peer in t else None


def cell(x):
    return "" if x is None else f"{x:.2f}"


def worst(t):
    """Beside other libraries; without any, beside the machine and below all others."""
    return max((ratio(t, peer) for peer in peers if peer in t), default=-1 / ratio(t, "machine") if "machine" in t else -math.inf)


def difference(ours, theirs, tolerance):
    """What is different of two results, in words; nothing where they agree."""
    if ours["count"] != theirs["count"]:
        return f"{ours['count']} elements, not {theirs['count']}"
    near = lambda x, y, scale: x == y or (math.isnan(x) and math.isnan(y)) or abs(x - y) <= tolerance * scale
    mean = theirs["magnitude"] / max(theirs["count"], 1)
    for what in ("sum", "magnitude"):
        if not near(ours[what], theirs[what], theirs["magnitude"]):
            return f"{what} {ours[what]:.9g}, not {theirs[what]:.9g}"
    for place, x, y in zip(("first", "middle", "last"), ours["some"], theirs["some"]):
        if not near(x, y, max(abs(y), mean)):
            return f"{place} element {x:.9g}, not {y:.9g}"
    return None


print("| family | cases | " + " | ".join(f"median, worst of ours / {peer}" for peer in columns) + " |")
print("|---" * (2 + len(columns)) + "|")
for family in dict.fromkeys(case[0].split("/")[0] for case, _ in cases):
    of = [t for case, t in cases if case[0].split("/")[0] == family]
    row = [f"{family} | {len(of)}"]
    for peer in columns:
        ratios = [ratio(t, peer) for t in of if peer in t]
        row.append(f"{statistics.median(ratios):.2f}, {max(ratios):.2f}" if ratios else "")
    print("| " + " | ".join(row) + " |")
print("\n| case | size | dtype | ours | " + " | ".join(f"ours / {peer}" for peer in columns) + " |")
print("|---" * (4 + len(columns)) + "|")
for (bench, size, dtype), t in sorted(cases, key=lambda case: -worst(case[1])):
    if options.full or worst(t) >= 1:
        ratios = " | ".join(cell(ratio(t, peer)) for peer in columns)
        print(f"| {bench} | {size} | {dtype} | {shown(t['wengert'])} | {ratios} |")

compared, wrong = 0, []
for case, of in results.items():
    for peer in peers:
        if "wengert" in of and peer in of:
            compared += 1
            found = difference(of["wengert"], of[peer], TOLERANCE[case[2]])
            if found:
                wrong.append(f"- {' '.join(case)}: {found} as {peer} has it")
print(f"\n{compared} results were compared with those of {' and '.join(peers) or 'nobody'}; {len(wrong)} disagree.")
print("\n".join(wrong))

if options.svg:
    # A dot for each case and peer, on a logarithmic axis; families one below the other.
    families = list(dict.fromkeys(case[0].split("/")[0] for case, _ in cases))
    width, left, step = 760, 110, 22
    colours = ["#3569a8", "#c05a2b", "#4f8f4f", "#8a5a9e"]
    found = [ratio(t, peer) for _, t in cases for peer in peers if peer in t]
    low, high = math.log10(min(found + [0.1])), math.log10(max(found + [1.0]))

    def x(value):
        return left + (math.log10(value) - low) / (high - low) * (width - left - 20)

    height = step * len(families) + 60
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for power in range(math.ceil(low), math.floor(high) + 1):
        at = x(10.0**power)
        colour = "#333" if power == 0 else "#ddd"
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="10" y2="{height - 40}" stroke="{colour}"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 24}" text-anchor="middle">{10.0**power:g}</text>')
    for row, family in enumerate(families):
        y = 24 + step * row
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{family}</text>')
        for case, t in cases:
            if case[0].split("/")[0] == family:
                for k, peer in enumerate(peers):
                    if peer in t:
                        label = f"{' '.join(case)}: {ratio(t, peer):.2f} of {peer}"
                        dot = f'<circle cx="{x(ratio(t, peer)):.1f}" cy="{y + 5 * k - 2}" r="3" fill="{colours[k % 4]}" fill-opacity="0.7">'
                        parts.append(f"{dot}<title>{label}</title></circle>")
    legend = ", ".join(peers)
    parts.append(f'<text x="{left}" y="{height - 6}">our time over theirs ({legend}); left of 1 we are faster</text></svg>')
    open(options.svg, "w", encoding="utf-8").write("\n".join(parts) + "\n")
sys.exit(1 if wrong else 0)

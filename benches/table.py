#!/usr/bin/env python3
"""A table of ratios from lines of small benchmarks, the worst first, and a picture of them.

    table.py LINES.jsonl [--threads 1] [--svg FILE] [--full]

The lines are those of `micro` and of other peers for the same cases (bench, peer, size, dtype, threads, median_s); of several lines of one
case the last counts. A ratio is our time over theirs: below 1 we are faster. Without --full the table has the median, the greatest and
the number of cases of each family, then the cases at 1 and above.
"""

import argparse
import json
import statistics

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("lines")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--svg")
parser.add_argument("--full", action="store_true")
options = parser.parse_args()

times, peers = {}, []
for line in open(options.lines, encoding="utf-8"):
    row = json.loads(line)
    if row["threads"] == options.threads:
        # What only one side has to say of its size (the number of equations) is no part of the case.
        size = "" if row["bench"].startswith("compile/") else row["size"]
        times.setdefault((row["bench"], size, row["dtype"]), {})[row["peer"]] = row["median_s"]
        if row["peer"] not in peers + ["wengert", "machine"]:
            peers.append(row["peer"])

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
    return max(ratio(t, peer) for peer in peers if peer in t)


print("| family | cases | " + " | ".join(f"median, worst of ours / {peer}" for peer in peers) + " |")
print("|---" * (2 + len(peers)) + "|")
for family in dict.fromkeys(case[0].split("/")[0] for case, _ in cases):
    of = [t for case, t in cases if case[0].split("/")[0] == family]
    row = [f"{family} | {len(of)}"]
    for peer in peers:
        ratios = [ratio(t, peer) for t in of if peer in t]
        row.append(f"{statistics.median(ratios):.2f}, {max(ratios):.2f}" if ratios else "")
    print("| " + " | ".join(row) + " |")
print("\n| case | size | dtype | ours | " + " | ".join(f"ours / {peer}" for peer in peers) + " |")
print("|---" * (4 + len(peers)) + "|")
for (bench, size, dtype), t in sorted(cases, key=lambda case: -worst(case[1])):
    if options.full or worst(t) >= 1:
        ratios = " | ".join(cell(ratio(t, peer)) for peer in peers)
        print(f"| {bench} | {size} | {dtype} | {shown(t['wengert'])} | {ratios} |")

if options.svg:
    import math

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

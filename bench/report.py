"""Turns "PART METRIC SYSTEM VALUE UNIT" lines into a table of minimum, median and maximum, with the ratio to Larder.

usage: report.py RESULTS [--ratios FILE] [--check FILE]
--ratios writes the medians' ratios; --check compares with such a file and exits 1 on a loss of more than 30 %."""
import collections
import re
import statistics
import sys

NOISE = 1.3
QUANTILE = re.compile(r"_(p\d+|max)$")


def read(path):
    figures = collections.OrderedDict()
    for line in open(path):
        part, metric, system, value, unit = line.split()
        figures.setdefault((part, metric, unit), collections.OrderedDict()).setdefault(system, []).append(float(value))
    return figures


def better_is_more(unit):
    return unit.endswith("/s")


def ratios(figures):
    """How many times better Larder's median is than each peer's; above 1 is ahead."""
    out = {}
    for (part, metric, unit), systems in figures.items():
        if metric.startswith("found_") or QUANTILE.search(metric):
            continue  # quantiles are shown, not held: a noisy neighbour is all that a p99 sees
        for own, mine in systems.items():
            if not own.startswith("larder"):
                continue
            for peer, theirs in systems.items():
                # cores are compared like with like: larder-2c with duckdb-2c
                if peer.startswith("larder") or peer.partition("-")[2] != own.partition("-")[2]:
                    continue
                a, b = statistics.median(mine), statistics.median(theirs)
                if len(mine) == 1 and unit != "MB":
                    continue  # one look at a clock tells too little to be held to it
                if a and b:
                    out["%s/%s/%s:%s" % (part, metric, own, peer)] = a / b if better_is_more(unit) else b / a
    return out


def show(v):
    return "%.3f" % v if v < 10 else "{:,.0f}".format(v)


def main():
    figures = read(sys.argv[1])
    r = ratios(figures)
    print("| part | metric | system | min | median | max | unit | Larder is |")
    print("|---|---|---|---:|---:|---:|---|---|")
    for (part, metric, unit), systems in figures.items():
        for system, v in systems.items():
            best = [x for k, x in r.items() if k.startswith("%s/%s/" % (part, metric)) and k.endswith(":" + system)]
            print("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
                part, metric, system, show(min(v)), show(statistics.median(v)), show(max(v)), unit,
                "%.2f x" % best[0] if best else ""))
    for (part, metric, unit), systems in figures.items():
        if metric.startswith("found_") and len({v[0] for v in systems.values()}) > 1:
            sys.exit("answers differ: %s %s" % (metric, dict(systems)))
    args = sys.argv[2:]
    if "--ratios" in args:
        with open(args[args.index("--ratios") + 1], "w") as f:
            for k in sorted(r):
                f.write("%s\t%.3f\n" % (k, r[k]))
    if "--check" in args:
        lost, held = [], 0
        for line in open(args[args.index("--check") + 1]):
            k, old = line.rstrip("\n").split("\t")
            held += k in r
            if k in r and r[k] * NOISE < float(old):
                lost.append("%s: was %.2f x, now %.2f x" % (k, float(old), r[k]))
        for x in lost:
            print("LOST " + x)
        if lost:
            sys.exit(1)
        if not held:
            sys.exit("no ratio of this run is among the ones to hold")
        print("%d ratios held, none lost beyond noise" % held)


if __name__ == "__main__":
    main()

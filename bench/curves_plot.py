"""Draws how costs grow, with the curve that was expected. usage: curves_plot.py CURVES.tsv DIR    writes DIR/curves-AXIS.svg

Expected, from the first point (flat) or the first two (line, log): what the data structures promise. Prints where a
measured value is more than twice the expected one."""
import collections
import math
import os
import sys

from plot import Page

METRICS = [("read_one", "one online read"), ("read_hundred_each", "an online read, a hundred together"),
           ("memory_per_entity", "memory of the serving table per entity"), ("load_per_fact", "loading a fact"),
           ("join_per_row", "a row of a point-in-time join")]
# a table of hashes and packed rows: flat but for the row's bytes; a join seeks: the logarithm of what is stored; so does a
# load, since what it adds is merged with what is stored, level by level
EXPECTED = {"entities": collections.defaultdict(lambda: "flat", join_per_row="log", load_per_fact="log"),
            "features": collections.defaultdict(lambda: "line"),
            "versions": collections.defaultdict(lambda: "flat", join_per_row="log"),
            "shards": collections.defaultdict(lambda: "flat")}
FAR = 2


def expected(kind, points):
    (x0, y0), (x1, y1) = points[0], points[1] if len(points) > 1 else points[0]
    if kind == "flat" or x0 == x1:
        return lambda x: y0
    f = math.log if kind == "log" else float
    slope = max((y1 - y0) / (f(x1) - f(x0)), 0)
    return lambda x: y0 + slope * (f(x) - f(x0))


def panel(page, top, title, unit, points, want, kind):
    ys = [y for _, y in points] + [want(x) for x, _ in points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)) + 1e-9)
    high = high if high > low else low + 1
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])

    def at(x, y):
        return (90 + (math.log10(x) - first) / ((last - first) or 1) * 520,
                top + 170 - (math.log10(y) - low) / (high - low) * 150)

    page.text(10, top, "%s, %s (expected: %s)" % (title, unit, kind), size=14)
    for e in range(low, high + 1):
        y = at(points[0][0], 10 ** e)[1]
        page.add('<line x1="90" x2="610" y1="%.1f" y2="%.1f" stroke="#ddd"/>', y, y)
        page.text(82, y + 4, "{:,g}".format(10.0 ** e), "end")
    for colour, dash, line in (("#9a9a9a", "5,4", [(x, want(x)) for x, _ in points]), ("#c0392b", "0", points)):
        page.add('<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>',
                 " ".join("%.1f,%.1f" % at(x, max(y, 10.0 ** low)) for x, y in line), colour, dash)
    for x, y in points:
        page.add('<circle cx="%.1f" cy="%.1f" r="3" fill="#c0392b"/>', *at(x, y))
        page.text(at(x, y)[0], at(x, y)[1] - 8, "{:,.0f}".format(y) if y >= 1000 else "%.3g" % y, "middle", 11, "#c0392b")
        page.text(at(x, y)[0], top + 188, "{:,}".format(x), "middle", 11)


def main():
    table = collections.OrderedDict()
    with open(sys.argv[1]) as f:
        next(f)
        for line in f:
            axis, x, metric, value, unit = line.rstrip("\n").split("\t")[:5]
            table.setdefault(axis, {}).setdefault(metric, (unit, []))[1].append((int(x), float(value)))
    for axis, metrics in table.items():
        page, top = Page(), 24
        for metric, title in METRICS:
            if metric not in metrics:
                continue
            unit, points = metrics[metric]
            kind = EXPECTED[axis][metric]
            want = expected(kind, points)
            panel(page, top, title, unit, points, want, kind)
            for x, y in points:
                if y > FAR * want(x):
                    print("%s %d: %s is %.3g %s, %.1f x the expected %.3g" % (axis, x, metric, y, unit, y / want(x), want(x)))
            top += 225
        page.text(10, top, "along the bottom: %s" % axis)
        page.save(os.path.join(sys.argv[2], "curves-%s.svg" % axis), top + 20)


if __name__ == "__main__":
    main()

"""Draws what a run of the tcp part measured. usage: plot.py RESULTS DIR    writes DIR/tcp-rate.svg, tcp-cpu.svg, tcp-latency.svg"""
import math
import os
import statistics
import sys

from report import read

COLOURS = {"echo": "#9a9a9a", "larder": "#c0392b", "larder_lib": "#e59866", "redis_get": "#2e86c1", "memcached": "#239b56",
           "redis_hmget": "#7d3c98"}
NAMES = {"echo": "bare libuv echo", "larder": "Larder", "larder_lib": "Larder, client library", "redis_get": "Redis, packed",
         "memcached": "memcached", "redis_hmget": "Redis, HMGET"}
CASES = [("one_entity_1_client", "one entity, 1 client, all on one core"), ("one_entity_32_clients", "one entity, 32 clients"),
         ("hundred_entities_32_clients", "100 entities a request, 32 clients")]
OPEN = [("one_entity_open", "one entity"), ("hundred_entities_open", "100 entities a request")]
QUANTILES = [("p50", "50 %"), ("p99", "99 %"), ("p999", "99.9 %"), ("p9999", "99.99 %"), ("max", "max")]
WIDTH = 760


class Page:
    def __init__(self):
        self.parts = []

    def text(self, x, y, s, anchor="start", size=12, colour="#222"):
        s = s.replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>' % (x, y, anchor, size, colour, s))

    def add(self, s, *values):
        self.parts.append(s % values)

    def save(self, path, height):
        with open(path, "w") as f:
            f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif">\n' % (WIDTH, height))
            f.write('<rect width="100%" height="100%" fill="white"/>\n')
            f.write("\n".join(self.parts) + "\n</svg>\n")


def bars(figures, path, suffix, unit, what, text):
    """Best first: the most requests a second, the least processor time."""
    page, y = Page(), 24
    for metric, title in CASES:
        systems = figures.get(("tcp", metric + suffix, unit), {})
        if not systems:
            continue
        most = max(max(v) for v in systems.values())
        page.text(10, y, "%s, %s: median, and from minimum to maximum" % (title, what), size=14)
        for system in sorted(systems, key=lambda s: statistics.median(systems[s]), reverse=unit == "/s"):
            v, y = systems[system], y + 22
            scale = (WIDTH - 300) / most
            page.text(170, y + 4, NAMES.get(system, system), "end")
            page.add('<rect x="178" y="%.1f" width="%.1f" height="14" fill="%s"/>', y - 7, statistics.median(v) * scale,
                     COLOURS.get(system, "#555"))
            page.add('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#222"/>', 178 + min(v) * scale, 178 + max(v) * scale, y, y)
            page.text(186 + max(v) * scale, y + 4, text(statistics.median(v)))
        y += 40
    page.save(path, y)


def latencies(figures, path):
    page, top = Page(), 24
    for metric, title in OPEN:
        lines = {}
        for q, _ in QUANTILES:
            for system, v in figures.get(("tcp", metric + "_" + q, "us"), {}).items():
                lines.setdefault(system, []).append(statistics.median(v))
        if not lines:
            continue
        low = math.floor(math.log10(min(min(v) for v in lines.values())))
        high = math.ceil(math.log10(max(max(v) for v in lines.values())))

        def at(i, us):
            return 90 + i * 110, top + 240 - (math.log10(us) - low) / (high - low) * 220

        page.text(10, top, title + ", steady rate over 32 connections: microseconds from when a request fell due", size=14)
        for e in range(low, high + 1):
            page.add('<line x1="90" x2="530" y1="%.1f" y2="%.1f" stroke="#ddd"/>', at(0, 10 ** e)[1], at(0, 10 ** e)[1])
            page.text(82, at(0, 10 ** e)[1] + 4, "{:,}".format(10 ** e), "end")
        for i, (_, name) in enumerate(QUANTILES):
            page.text(at(i, 10 ** low)[0], top + 260, name, "middle")
        for k, (system, v) in enumerate(sorted(lines.items(), key=lambda x: -x[1][-1])):
            points = " ".join("%.1f,%.1f" % at(i, us) for i, us in enumerate(v))
            colour = COLOURS.get(system, "#555")
            page.add('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>', points, colour)
            page.text(556, top + 34 + 18 * k, NAMES.get(system, system), colour=colour)
        top += 310
    page.save(path, top)


def main():
    figures = read(sys.argv[1])
    bars(figures, os.path.join(sys.argv[2], "tcp-rate.svg"), "", "/s", "requests/s", "{:,.0f}".format)
    bars(figures, os.path.join(sys.argv[2], "tcp-cpu.svg"), "_server_cpu", "us", "microseconds of the server a request", "{:,.1f}".format)
    latencies(figures, os.path.join(sys.argv[2], "tcp-latency.svg"))


if __name__ == "__main__":
    main()

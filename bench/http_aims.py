"""Holds the http part of bench/run.sh against its aims. usage: http_aims.py RESULTS. Medians of the rounds; 1 when one is missed."""
import statistics
import sys

AIMS = [("one_entity_32_clients", "feast_serve", 20), ("one_entity_32_clients", "data_plane", 0.5),
        ("hundred_entities_32_clients", "feast_serve", 50)]
figures = {}
for line in open(sys.argv[1]):
    part, metric, system, value, unit = line.split()
    if part == "http" and unit in ("/s", "us"):
        figures.setdefault((metric, system), []).append(float(value))
missed = 0
for metric, peer, aim in AIMS:
    def median(system, suffix=""):
        return statistics.median(figures[metric + suffix, system])
    rate = median("larder_http") / median(peer)
    work = median(peer, "_server_cpu") / median("larder_http", "_server_cpu")
    missed += rate < aim
    print("%s: %.2f x the requests a second of %s (aim %g x): %s; by processor time of the servers %.2f x" %
          (metric, rate, peer, aim, "met" if rate >= aim else "MISSED", work))
sys.exit(1 if missed else 0)

"""Holds the python part of bench/run.sh against its aims, by medians of the rounds. usage: python_aims.py RESULTS. 1 when one is missed.

A pandas user's training set takes at most a tenth of the time of each of Feast's offline stores, and less memory than either. A store
that was ended at a limit counts with the limit."""
import statistics
import sys

AIM = 10
figures, ended = {}, {}
for line in open(sys.argv[1]):
    part, metric, system, value, unit = line.split()
    if part == "python" and metric.startswith("ended_at_"):
        ended[int(metric.rpartition("_")[2]), system] = (float(value), unit)
    elif part == "python" and metric.startswith("feast_"):
        what, _, rows = metric.rpartition("_")
        figures.setdefault((int(rows), system, what), []).append(float(value))
missed = 0


def told(kind, text, met):
    global missed
    missed += not met
    print("%s: %s: %s" % (kind, text, "met" if met else "MISSED"))


for rows in sorted({r for r, _, _ in figures}):
    for peer in ("feast_file", "feast_duckdb"):
        def median(system, what):
            return statistics.median(figures[rows, system, what])
        mine, least = median("larder_pandas", "feast_join"), ""
        limit, unit = ended.get((rows, peer), (0, ""))
        if (rows, peer, "feast_join") in figures:
            theirs = median(peer, "feast_join")
        elif unit == "s":
            theirs, least = limit, "more than "
        else:
            print("time, %d rows: %s needs more than %g MB and was ended" % (rows, peer, limit))
            theirs = None
        if theirs is not None:
            told("time, %d rows" % rows, "%s takes %s%.1f x as long (%.3f s, Larder %.3f s; aim %d x)" %
                 (peer, least, theirs / mine, theirs, mine, AIM), theirs / mine >= AIM)
        peak = median("larder_pandas", "feast_peak")
        if (rows, peer, "feast_peak") in figures:
            memory = median(peer, "feast_peak")
            told("memory, %d rows" % rows, "Larder %.0f MB, %s %.0f MB" % (peak, peer, memory), peak < memory)
        elif unit == "MB":
            told("memory, %d rows" % rows, "Larder %.0f MB, %s more than %.0f MB" % (peak, peer, limit), peak < limit)
sys.exit(1 if missed else 0)

"""One CSV load by Larder's command line into a new store. usage: load.py LARDER STORE_DIR DATA_DIR THREADS CORES
Prints "PART METRIC SYSTEM VALUE UNIT" lines, as bench/report.py reads them. The time is that of the ingest itself, durable at
its end, as duck.py takes it: without starting the process."""
import json
import resource
import subprocess
import sys

larder, store, data, threads, cores = sys.argv[1:]
base = [larder, "--store", "local:" + store, "--dir", data, "--threads", threads]
subprocess.run(base + ["--quiet", "apply"], check=True, stdout=subprocess.DEVNULL)
out = subprocess.run(base + ["--json", "ingest", "churn", data + "/facts.csv"], check=True, stdout=subprocess.PIPE).stdout
report = json.loads(out.splitlines()[0])
if report["rejected"] or not report["rows"]:
    sys.exit("load.py: not every row was taken: %s" % report)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print("ingest csv_load larder-%sc %.0f rows/s" % (cores, report["rows"] / report["seconds"]))
print("ingest csv_load_peak_memory larder-%sc %.0f MB" % (cores, peak))

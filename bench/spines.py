"""Spines for the join bench: customers drawn uniformly, moments after the first week. usage: spines.py DIR"""
import random
import sys

START_US = 1704067200 * 10**6
for n in (10000, 100000, 1000000):
    rng = random.Random(n)
    with open("%s/spine_%d.csv" % (sys.argv[1], n), "w") as f:
        f.write("customer_id,event_us\n")
        for _ in range(n):
            customer = 100000 + 7 * rng.randrange(64517)
            f.write("%d,%d\n" % (customer, START_US + (7 * 86400 + rng.randrange(24 * 86400)) * 10**6))

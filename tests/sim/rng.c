/* xoshiro256** after Blackman and Vigna's published description, seeded by splitmix64. */
#include "sim.h"

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void sim_rng_seed(struct sim_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t sim_rng_next(struct sim_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)sim_rng_next(&s->rng) * n) >> 64);
}

bool sim_chance(struct sim *s, uint32_t per_10000)
{
    return per_10000 && sim_below(s, 10000) < per_10000;
}

uint64_t sim_around(struct sim *s, uint64_t mean)
{
    uint64_t r = sim_below(s, 100);
    if (r < 90)
        return mean / 2 + sim_below(s, mean + 1);
    return r < 99 ? sim_below(s, 5 * mean + 1) : sim_below(s, 40 * mean + 1);
}

/* Events or a dense product? One 3x3 convolution of stride 2, 14x14x48 to 7x7x96 (the second of the Fashion-MNIST network),
   at several shares of neurons that fire, in three ways that give the same integers:

   events  what converters/c generates: the weights of what fired are added, four events at a time
   rows    no list of events: every source neuron's weights, times 0 or 1
   dots    a dot product of bytes for each target channel, which gcc makes into VNNI instructions where there are any

       gcc -O2 -march=native -ftree-vectorize -fno-vect-cost-model -mprefer-vector-width=512 dense_or_events.c && ./a.out */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN = 48, OUT = 96, SIDE = 14, PADDED = SIDE + 2, TARGET = SIDE / 2, ROW = 3 * IN, CALLS = 10, TURNS = 60 };

static int8_t weight[3 * ROW * OUT], by_target[OUT * 3 * ROW];
static uint8_t spikes[PADDED * PADDED * IN];
static int32_t found[3][TARGET * TARGET * OUT];

static void add_events(int16_t *restrict sum, const int8_t *restrict w, int origin, const uint16_t *restrict event,
    int first, int last)
{
    int e = first;
    for (; e + 4 <= last; e += 4) {
        const int8_t *restrict a = w + (event[e] - origin) * OUT, *restrict b = w + (event[e + 1] - origin) * OUT;
        const int8_t *restrict c = w + (event[e + 2] - origin) * OUT, *restrict d = w + (event[e + 3] - origin) * OUT;
        for (int o = 0; o < OUT; o++) {
            sum[o] = (int16_t)(sum[o] + a[o] + b[o] + c[o] + d[o]);
        }
    }
    for (; e < last; e++) {
        const int8_t *restrict a = w + (event[e] - origin) * OUT;
        for (int o = 0; o < OUT; o++) {
            sum[o] = (int16_t)(sum[o] + a[o]);
        }
    }
}

static void events(int32_t *out)
{
    static uint16_t event[PADDED][PADDED * IN], first[PADDED][PADDED + 1];
    for (int y = 0; y < PADDED; y++) {
        int fired = 0;
        for (int x = 0; x < PADDED; x++) {
            first[y][x] = (uint16_t)fired;
            for (int c = 0; c < IN; c++) {
                event[y][fired] = (uint16_t)(x * IN + c);
                fired += spikes[(y * PADDED + x) * IN + c];
            }
        }
        first[y][PADDED] = (uint16_t)fired;
    }
    for (int y = 0; y < TARGET; y++) {
        for (int x = 0; x < TARGET; x++) {
            int16_t sum[OUT] = {0};
            for (int tap = 0; tap < 3; tap++) {
                const int row = 2 * y + tap;
                add_events(sum, weight + tap * ROW * OUT, 2 * x * IN, event[row], first[row][2 * x], first[row][2 * x + 3]);
            }
            for (int o = 0; o < OUT; o++) {
                out[(y * TARGET + x) * OUT + o] = sum[o];
            }
        }
    }
}

static void rows(int32_t *out)
{
    for (int y = 0; y < TARGET; y++) {
        for (int x = 0; x < TARGET; x++) {
            int16_t sum[OUT] = {0};
            for (int tap = 0; tap < 3; tap++) {
                const uint8_t *s = spikes + ((2 * y + tap) * PADDED + 2 * x) * IN;
                for (int i = 0; i < ROW; i += 4) {
                    const int8_t *w = weight + (tap * ROW + i) * OUT;
                    const int16_t a = s[i], b = s[i + 1], c = s[i + 2], d = s[i + 3];
                    for (int o = 0; o < OUT; o++) {
                        sum[o] = (int16_t)(sum[o] + a * w[o] + b * w[OUT + o] + c * w[2 * OUT + o] + d * w[3 * OUT + o]);
                    }
                }
            }
            for (int o = 0; o < OUT; o++) {
                out[(y * TARGET + x) * OUT + o] = sum[o];
            }
        }
    }
}

static void dots(int32_t *out)
{
    for (int y = 0; y < TARGET; y++) {
        for (int x = 0; x < TARGET; x++) {
            for (int o = 0; o < OUT; o++) {
                int32_t sum = 0;
                for (int tap = 0; tap < 3; tap++) {
                    const uint8_t *s = spikes + ((2 * y + tap) * PADDED + 2 * x) * IN;
                    const int8_t *w = by_target + (o * 3 + tap) * ROW;
                    for (int i = 0; i < ROW; i++) {
                        sum += s[i] * w[i];
                    }
                }
                out[(y * TARGET + x) * OUT + o] = sum;
            }
        }
    }
}

/* Microseconds a call, the best of many. */
static double time_of(void (*way)(int32_t *), int32_t *out)
{
    double best = 1e9;
    for (int turn = 0; turn < TURNS; turn++) {
        struct timespec began, ended;
        timespec_get(&began, TIME_UTC);
        for (int call = 0; call < CALLS; call++) {
            way(out);
        }
        timespec_get(&ended, TIME_UTC);
        const double each = ((double)(ended.tv_sec - began.tv_sec) * 1e6 + (double)(ended.tv_nsec - began.tv_nsec) / 1e3) / CALLS;
        best = each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static const int shares[] = {0, 5, 10, 15, 20, 40, 60, 80, 100};
    for (int i = 0; i < 3 * ROW; i++) {
        for (int o = 0; o < OUT; o++) {
            weight[i * OUT + o] = by_target[o * 3 * ROW + i] = (int8_t)(rand() % 61 - 30);
        }
    }
    for (size_t n = 0; n < sizeof shares / sizeof *shares; n++) {
        memset(spikes, 0, sizeof spikes);
        for (int y = 1; y <= SIDE; y++) {
            for (int i = IN; i < (SIDE + 1) * IN; i++) {
                spikes[y * PADDED * IN + i] = rand() % 100 < shares[n];
            }
        }
        const double us[] = {time_of(events, found[0]), time_of(rows, found[1]), time_of(dots, found[2])};
        const int same = !memcmp(found[0], found[1], sizeof *found) && !memcmp(found[0], found[2], sizeof *found);
        printf("%3d %% fire: events %6.1f us, rows %6.1f us, dots %6.1f us", shares[n], us[0], us[1], us[2]);
        printf("%s\n", same ? "" : " DIFFERENT");
    }
    return 0;
}

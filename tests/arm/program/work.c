#include "work.h"

float work(float start, long count) {
    volatile float value = start; /* volatile: neither vectors nor fused operations, so the same bits everywhere */
    for (long i = 0; i < count; i++)
        value = value * 0.5f + 1.0f;
    return value;
}

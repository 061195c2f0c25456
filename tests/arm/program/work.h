/* Real work: `count` dependent multiplications and additions on one float; the value is the same on every machine. */
float work(float start, long count);

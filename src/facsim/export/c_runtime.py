"""The part of the generated C that is the same for every model: products, functions, random numbers."""

FUNCTIONS = {
    "m_select": r"""
/* test ? yes : no, without a branch. */
static inline float m_select(int test, float yes, float no)
{
    uint32_t a, b;
    const uint32_t keep = 0u - (uint32_t)(test != 0);
    float out;
    memcpy(&a, &yes, 4);
    memcpy(&b, &no, 4);
    a = (a & keep) | (b & ~keep);
    memcpy(&out, &a, 4);
    return out;
}
""",
    "m_exp": r"""
/* exp(x) to 2e-7 of its value, without branches, so that a compiler computes several at a time: x = n log 2 + r, the
   series of exp(r), and n into the exponent's bits. Below -86.6 it is 0, above 88.7 its largest value. */
static inline float m_exp(float x)
{
#if defined(__FAST_MATH__) || (FLT_EVAL_METHOD != 0)
    return expf(x);
#else
    const float high = m_select(x > 88.7f, 88.7f, x), y = m_select(high < -86.6f, -86.6f, high);
    const float z = y * 1.44269504f + 12582912.0f; /* the last bits of z are the nearest whole number n */
    const float n = z - 12582912.0f;
    const float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    const float q = 1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040));
    const float p = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * q))));
    const uint32_t keep = 0u - (uint32_t)!(x < -86.6f);
    uint32_t a, b;
    float out;
    memcpy(&a, &p, 4);
    memcpy(&b, &z, 4);
    a = (a + (b << 23)) & keep;
    memcpy(&out, &a, 4);
    return out;
#endif
}
""",
    "m_sigmoid": r"""
static inline float m_sigmoid(float x) { return 1.0f / (1.0f + m_exp(-x)); }
""",
    "m_softplus": r"""
static inline float m_softplus(float x) { return (x > 0 ? x : 0) + log1pf(m_exp(x > 0 ? -x : x)); }
""",
    "m_elu": r"""
static inline float m_elu(float x, float alpha)
{
    return m_select(x > 0, x, 0) + alpha * (m_exp(m_select(x < 0, x, 0)) - 1.0f);
}
""",
    "m_leaky": r"""
static inline float m_leaky(float x, float alpha) { return m_select(x > 0, x, 0) + alpha * m_select(x < 0, x, 0); }
""",
    "m_index": r"""
static inline int32_t m_index(int32_t i, int32_t n)
{
    const int32_t p = i < 0 ? i + n : i;
    return p < 0 ? 0 : p >= n ? n - 1 : p;
}
""",
    "m_affine": r"""
/* y = W x + b. The weights lie in blocks of 32 outputs, the last filled up with zeros, input by input: sums stay in
   registers, two chains of them, and weights are read once, one after the other. */
#ifdef __GNUC__
__attribute__((noinline)) /* one copy is enough, and compiles sooner */
#endif
static void m_affine(const float *restrict w, const float *restrict b, const float *restrict x, float *restrict y,
                     int32_t n_in, int32_t n_out)
{
    int32_t i, j, o;
    for (o = 0; o < n_out; o += 32) {
        const int32_t n = n_out - o < 32 ? n_out - o : 32;
        float s[32], t[32];
        for (j = 0; j < 32; ++j) s[j] = b[o + j];
        for (j = 0; j < 32; ++j) t[j] = 0;
        for (i = 0; i + 1 < n_in; i += 2, w += 64) {
            for (j = 0; j < 32; ++j) s[j] += x[i] * w[j];
            for (j = 0; j < 32; ++j) t[j] += x[i + 1] * w[32 + j];
        }
        if (i < n_in) {
            for (j = 0; j < 32; ++j) s[j] += x[i] * w[j];
            w += 32;
        }
        for (j = 0; j < 32; ++j) s[j] += t[j];
        memcpy(y + o, s, (size_t)n * sizeof *s);
    }
}
""",
    "m_conv": r"""
/* Convolution of an image (n_in, rows, columns) to (n_out, height, width) that needs no more zeros around. Without
   strides it runs along the whole image, 32 places at a time; those between the end of a row and the next are left. */
#ifdef __GNUC__
__attribute__((noinline))
#endif
static void m_conv(const float *restrict w, const float *restrict b, const float *restrict x, float *restrict y,
                   int32_t n_in, int32_t rows, int32_t columns, int32_t n_out, int32_t height, int32_t width,
                   int32_t kernel_rows, int32_t kernel_columns, int32_t down, int32_t along, int32_t rows_apart,
                   int32_t columns_apart)
{
    const int32_t places = (height - 1) * columns + width;
    int32_t o, i, j, k, l, r, c;
    for (o = 0; o < n_out; ++o, y += height * width) {
        const float *const own = w + o * n_in * kernel_rows * kernel_columns;
        if (down == 1 && along == 1 && places >= 32) {
            for (c = 0; c < places; c += 32) {
                const int32_t first = c + 32 > places ? places - 32 : c;
                const float *v = own;
                float s[32];
                for (j = 0; j < 32; ++j) s[j] = b[o];
                for (i = 0; i < n_in; ++i)
                    for (k = 0; k < kernel_rows; ++k) {
                        const float *p = x + (i * rows + k * rows_apart) * columns + first;
                        for (l = 0; l < kernel_columns; ++l, p += columns_apart, ++v)
                            for (j = 0; j < 32; ++j) s[j] += *v * p[j];
                    }
                for (r = first / columns; r < height && r * columns < first + 32; ++r) {
                    const int32_t start = r * columns < first ? first - r * columns : 0;
                    const int32_t end = first + 32 - r * columns < width ? first + 32 - r * columns : width;
                    for (j = start; j < end; ++j) y[r * width + j] = s[r * columns + j - first];
                }
            }
            continue;
        }
        for (r = 0; r < height; ++r)
            for (c = 0; c < width; ++c) {
                const float *v = own;
                float s = b[o];
                for (i = 0; i < n_in; ++i)
                    for (k = 0; k < kernel_rows; ++k) {
                        const float *p = x + (i * rows + r * down + k * rows_apart) * columns + c * along;
                        for (l = 0; l < kernel_columns; ++l) s += *v++ * p[l * columns_apart];
                    }
                y[r * width + c] = s;
            }
    }
}
""",
    "m_product": r"""
static void m_product(const float *restrict a, const float *restrict b, float *restrict y, int32_t n, int32_t k,
                      int32_t m)
{
    int32_t i, j, l;
    for (i = 0; i < n; ++i) {
        if (m == 1) { /* a sum that may be long: eight chains */
            float s[8] = {0};
            for (l = 0; l + 8 <= k; l += 8)
                for (j = 0; j < 8; ++j) s[j] += a[i * k + l + j] * b[l + j];
            for (; l < k; ++l) s[0] += a[i * k + l] * b[l];
            y[i] = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
            continue;
        }
        for (j = 0; j < m; ++j) y[i * m + j] = 0;
        for (l = 0; l < k; ++l)
            for (j = 0; j < m; ++j) y[i * m + j] += a[i * k + l] * b[l * m + j];
    }
}
""",
    "m_norm": r"""
static void m_norm(const float *x, const float *scale, const float *shift, float *restrict y, int32_t n, float epsilon)
{
    float s[8] = {0}, mean, factor;
    int32_t i, j;
    for (i = 0; i + 8 <= n; i += 8)
        for (j = 0; j < 8; ++j) s[j] += x[i + j];
    for (; i < n; ++i) s[0] += x[i];
    mean = (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) / (float)n;
    for (j = 0; j < 8; ++j) s[j] = 0;
    for (i = 0; i < n; ++i) y[i] = x[i] - mean;
    for (i = 0; i + 8 <= n; i += 8)
        for (j = 0; j < 8; ++j) s[j] += y[i + j] * y[i + j];
    for (; i < n; ++i) s[0] += y[i] * y[i];
    factor = 1.0f / sqrtf((((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) / (float)n + epsilon);
    for (i = 0; i < n; ++i) y[i] *= factor;
    if (scale) for (i = 0; i < n; ++i) y[i] *= scale[i];
    if (shift) for (i = 0; i < n; ++i) y[i] += shift[i];
}
""",
    "m_softmax": r"""
static void m_softmax(const float *x, float *restrict y, int32_t n)
{
    float largest = x[0], sum = 0;
    int32_t i;
    for (i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    for (i = 0; i < n; ++i) y[i] = m_exp(x[i] - largest);
    for (i = 0; i < n; ++i) sum += y[i];
    for (i = 0; i < n; ++i) y[i] /= sum;
}
""",
    "m_philox": r"""
/* Philox4x32-10 (Salmon et al., SC11, doi 10.1145/2063384.2063405): four random words of a counter and a key. */
static void m_philox(uint64_t key, uint64_t event, uint32_t block, uint32_t stream, uint32_t *restrict c)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    int32_t i;
    c[0] = (uint32_t)event;
    c[1] = (uint32_t)(event >> 32);
    c[2] = block;
    c[3] = stream;
    for (i = 0; i < 10; ++i) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t c1 = c[1], c3 = c[3];
        c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}
""",
    "m_uniform": r"""
/* n numbers uniform in [0, 1), multiples of 2^-24: word i % 4 of block i / 4. */
static void m_uniform(uint64_t seed, uint64_t event, uint32_t stream, float *out, int32_t n)
{
    uint32_t c[4];
    int32_t i, j;
    for (i = 0; i < n; i += 4) {
        m_philox(seed, event, (uint32_t)(i / 4), stream, c);
        for (j = 0; j < 4 && i + j < n; ++j) out[i + j] = (float)(c[j] >> 8) * 5.9604645e-8f;
    }
}
""",
    "m_normal": r"""
/* n standard normal numbers by Box and Muller: radius from one word (up to 6.66 sigma), angle from the next. */
static void m_normal(uint64_t seed, uint64_t event, uint32_t stream, float *out, int32_t n)
{
    uint32_t c[4];
    int32_t i, j;
    for (i = 0; i < n; i += 4) {
        m_philox(seed, event, (uint32_t)(i / 4), stream, c);
        for (j = 0; j < 4 && i + j < n; j += 2) {
            const float u = ((float)c[j] + 1.0f) * 2.3283064e-10f;
            const float r = sqrtf(-2.0f * logf(u)), angle = (float)(c[j + 1] >> 8) * 3.7450704e-7f;
            out[i + j] = r * cosf(angle);
            if (i + j + 1 < n) out[i + j + 1] = r * sinf(angle);
        }
    }
}
""",
}
"""C of each function, in an order in which they can stand."""


def functions_for(text: str) -> str:
    """The functions that the C `text` calls, and those that these call."""
    wanted: list[str] = []
    for name, code in reversed(FUNCTIONS.items()):  # callers stand after what they call
        if f"{name}(" in text:
            wanted.append(code)
            text += code
    return "".join(reversed(wanted))

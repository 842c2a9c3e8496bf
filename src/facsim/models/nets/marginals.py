"""Conditional one-dimensional distributions with an atom at zero, as one exactly invertible map to noise.

Every variable is either zero (with probability p0) or has a continuous value w, whose quantile function is monotone
and piecewise quadratic in a standard logistic variable s (its slope is linear between knots, so that the density is
continuous, as in the splines of Mueller et al., arXiv 1808.03856). Both p0 and the slopes depend on a context. A
latent z, standard normal up to 2e-4 in probability, covers both: below the p0 quantile the variable is zero, above it w
follows. So the one-dimensional distributions are fitted by maximum likelihood, and whatever maps normal noise to z
has only correlations to learn. The map is plain arithmetic, cheap to export and to run.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# logit(Phi(z)) to 1.4e-4 in probability; a cubic has a closed inverse.
_LINEAR, _CUBIC = 1.5976, 0.07056
_FIRST_KNOT, _BIN_WIDTH, BINS = -6.0, 1.0, 12
N_PARAMS = 3 + BINS + 1
_LATENT_MAX = 5.0
_NEVER_ZERO = 12.0
_LARGEST_ODDS = 12.0
_NEWTON_STEPS = 8
_LARGEST_STEP = 1.0


def normal_to_logit(z: Tensor) -> Tensor:
    """Log-odds of the normal distribution function, approximately: 1.5976 z + 0.07056 z^3."""
    return z * (_LINEAR + _CUBIC * z * z)


def logit_to_normal(y: Tensor) -> Tensor:
    """Exact inverse of `normal_to_logit` (hyperbolic form of Cardano's solution)."""
    scale = 2.0 * math.sqrt(_LINEAR / (3.0 * _CUBIC))
    factor = 3.0 / (scale * _LINEAR)
    return scale * torch.sinh(torch.asinh(factor * y) / 3.0)


class ZeroInflatedQuantiles:
    """The distribution of one variable per leading index of `params`.

    Args:
        params: (..., N_PARAMS): log-odds of being non-zero, median, log scale, log slopes at the knots in that scale.
        always: variables that are never zero (broadcast to the leading axes), or None.
    """

    def __init__(self, params: Tensor, always: Tensor | None = None) -> None:
        self.logit_hit = params[..., 0]
        if always is not None:
            self.logit_hit = torch.where(always, _NEVER_ZERO, self.logit_hit)
        slopes = torch.exp(params[..., 3:] + params[..., 2:3])
        self.first, self.last = slopes[..., :1], slopes[..., -1:]
        self.left, self.right = slopes[..., :-1], slopes[..., 1:]
        self.bend = self.right - self.left
        self.rise = _BIN_WIDTH * (self.left + 0.5 * self.bend)
        self.height = self.rise.cumsum(-1)
        # no sum over the last axis: of no values at all, as in a shower without hits, ONNX Runtime keeps the axis whole
        self.start = params[..., 1:2] - self.height[..., BINS // 2 - 1 : BINS // 2]

    def quantile(self, s: Tensor) -> Tensor:
        """w at the logistic variable s."""
        from_first = s[..., None] - _FIRST_KNOT
        index = from_first.clamp(0.0, BINS * _BIN_WIDTH - 1e-3).floor().long()
        u = (from_first - index).clamp(0.0, _BIN_WIDTH)
        height = self.start + self.height - self.rise
        slope, curve = self.left.gather(-1, index), self.bend.gather(-1, index)
        inner = u * (slope + 0.5 * curve * u)
        tails = self.first * from_first.clamp(max=0.0) + self.last * (from_first - BINS * _BIN_WIDTH).clamp(min=0.0)
        return (height.gather(-1, index) + inner + tails)[..., 0]

    def _solve(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The logistic variable at w, and the slope dw/ds there."""
        w = w[..., None]
        from_knot = w - self.start - self.height + self.rise
        r = torch.minimum(from_knot.clamp(min=0.0), self.rise)
        # the slope at height r: its square is linear in r, and between those of the knots it loses no digits
        share = r / self.rise
        root = torch.sqrt(self.left**2 * (1 - share) + self.right**2 * share)
        u = 2 * r / (self.left + root)
        below = (w - self.start).clamp(max=0.0) / self.first
        above = (w - self.start - self.height[..., -1:]).clamp(min=0.0) / self.last
        s = _FIRST_KNOT + below + above + u.sum(-1, keepdim=True)
        inside = (from_knot > 0).sum(-1, keepdim=True).sub(1).clamp(min=0)
        return s[..., 0], root.gather(-1, inside)[..., 0]

    def log_prob(self, w: Tensor) -> Tensor:
        """Log-density of the continuous value, given that the variable is not zero."""
        s, slope = self._solve(w)
        return F.logsigmoid(s) + F.logsigmoid(-s) - torch.log(slope)

    def log_prob_hit(self, hit: Tensor) -> Tensor:
        """Log-probability of being non-zero (`hit` = 1) or zero (`hit` = 0)."""
        return -F.binary_cross_entropy_with_logits(self.logit_hit.expand_as(hit), hit, reduction="none")

    def encode(self, w: Tensor) -> Tensor:
        """Latent of non-zero variables with value w."""
        s, _ = self._solve(w)
        log_p0, log_p1 = F.logsigmoid(-self.logit_hit), F.logsigmoid(self.logit_hit)
        # u = p0 + (1 - p0) sigmoid(s), as log-odds
        y = torch.logaddexp(log_p0, log_p1 + F.logsigmoid(s)) - log_p1 - F.logsigmoid(-s)
        return logit_to_normal(y).clamp(-_LATENT_MAX, _LATENT_MAX)

    def margin(self, z: Tensor) -> Tensor:
        """How far, in log-odds, a latent lies above the zero region: positive means non-zero."""
        return normal_to_logit(z) + self.logit_hit

    def decode(self, margin: Tensor, cut: Tensor | float = 0.0) -> Tensor:
        """Continuous value of latents whose `margin` is above `cut` (a finite number elsewhere).

        The value has the same quantile among all values as the latent among those above the cut.
        """
        # softplus, because log(sigmoid) of an exported graph loses digits in the tail
        survival = F.softplus(margin - self.logit_hit) - F.softplus(cut - self.logit_hit)
        r = survival.clamp(min=1e-6)
        return self.quantile(r + torch.log(1 - torch.exp(-r)))


def _bounded(x: Tensor) -> Tensor:
    """Keep an exponent within (-5, 5), so that no slope overflows or vanishes."""
    return 5 * torch.tanh(x / 5)


def _logistic_regression(x: Tensor, share: Tensor, trials: Tensor) -> Tensor:
    """Coefficients (G, R, C) of the log-odds of `share` (N, G, R) on `x` (N, G, C), whose first column is 1.

    Newton's method with a weak penalty, which keeps the odds of what is always or never there finite, and even where
    `trials` (G, R) is 0.
    """
    groups, per_group, columns = x.shape[1], share.shape[2], x.shape[2]
    mean = (share.sum(0) * trials + 0.5) / (len(x) * trials + 1.0)
    beta = torch.zeros((groups, per_group, columns), dtype=x.dtype, device=x.device)
    beta[..., 0] = torch.logit(mean)
    penalty = torch.full((columns,), 1.0, dtype=x.dtype, device=x.device)
    penalty[0] = 0.1
    for _ in range(_NEWTON_STEPS):
        p = torch.sigmoid(torch.einsum("ngc,grc->ngr", x, beta))
        slope = trials[..., None] * torch.einsum("ngr,ngc->grc", share - p, x) - penalty * beta
        # (C, N) x (N, C) for each variable; the weights p (1 - p) are what differs
        weight = trials * p * (1 - p)
        bend = torch.stack([(x[:, g].T[None] * weight[:, g].T[:, None]) @ x[:, g] for g in range(groups)])
        step = torch.linalg.solve(bend + torch.diag(penalty), slope[..., None])[..., 0]
        beta = beta + step.clamp(-_LARGEST_STEP, _LARGEST_STEP)
    return beta


def encode_zero(logit_hit: Tensor, dither: Tensor) -> Tensor:
    """Latent of variables that are zero: `dither`, uniform in (0, 1), spreads them over the part below p0."""
    log_u = F.logsigmoid(-logit_hit) + torch.log(dither)
    y = log_u - torch.log1p(-torch.exp(log_u).clamp(max=1 - 1e-7))
    return logit_to_normal(y).clamp(-_LATENT_MAX, _LATENT_MAX)


class ConditionalMarginals(nn.Module):
    """Network from a context to the parameters of many variables' zero-inflated quantile functions.

    The variables come in groups that share a context. A linear regression on the context gives each variable its
    starting median and scale, a logistic one its starting odds of being non-zero, both fitted in closed form or nearly
    so: the inner cells of every energetic shower are lit, and gradient steps alone reach such odds very slowly. The
    network learns the rest in those units.

    Args:
        groups: number of groups G.
        per_group: variables per group R.
        n_context: number of context features C.
        hidden: width of the two hidden layers.
    """

    odds: Tensor
    intercept: Tensor
    slope: Tensor
    log_scale: Tensor

    def __init__(self, groups: int, per_group: int, n_context: int, hidden: int = 96) -> None:
        super().__init__()
        shape = (groups, per_group)
        self.embedding = nn.Parameter(0.1 * torch.randn(*shape, hidden))
        self.context = nn.Linear(n_context, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.direct = nn.Parameter(torch.zeros(*shape, N_PARAMS))
        self.out = nn.Linear(hidden, N_PARAMS)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("odds", torch.zeros(*shape, 1 + n_context))
        self.register_buffer("intercept", torch.zeros(shape))
        self.register_buffer("slope", torch.zeros(*shape, n_context))
        self.register_buffer("log_scale", torch.zeros(shape))

    @torch.no_grad()
    def fit_start(self, context: Tensor, count: Tensor, total: Tensor, square: Tensor, trials: Tensor) -> None:
        """Set the starting odds, medians and scales.

        Args:
            context: (N, G, C).
            count, total, square: number, sum and sum of squares of the values present, (N, G, R).
            trials: how many values there could be, (G, R); 0 for a variable that does not exist.
        """
        x = torch.cat([torch.ones_like(context[..., :1]), context], -1).double()
        trials = trials.double()
        self.odds.copy_(_logistic_regression(x, count.double() / trials.clamp(min=1), trials))
        n = count.double().sum(0)
        gram = torch.einsum("ngr,ngc,ngd->grcd", count.double(), x, x)
        moment = torch.einsum("ngr,ngc->grc", total.double(), x)
        ridge = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device) * (1.0 + 1e-3 * n[..., None, None])
        ridge[..., 0, 0] = 1e-6
        beta = torch.linalg.solve(gram + ridge, moment[..., None])[..., 0]
        explained = 2 * (beta * moment).sum(-1) - torch.einsum("grc,grcd,grd->gr", beta, gram, beta)
        variance = (square.double().sum(0) - explained + 1.0) / (n + 1.0)
        self.intercept.copy_(beta[..., 0])
        self.slope.copy_(beta[..., 1:])
        # a standard logistic variable has the standard deviation pi / sqrt(3)
        self.log_scale.copy_(0.5 * torch.log(variance.clamp(min=1e-8)) - math.log(math.pi / math.sqrt(3)))

    def forward(self, context: Tensor) -> Tensor:
        """Parameters (N, G, R, N_PARAMS) for a context (N, G, C)."""
        odds = self.odds[..., 0] + torch.einsum("ngc,grc->ngr", context, self.odds[..., 1:])
        odds = _LARGEST_ODDS * torch.tanh(odds / _LARGEST_ODDS)
        h = F.silu(self.context(context)[:, :, None] + self.embedding)
        h = h + F.silu(self.hidden(h))
        raw = self.out(h) + self.direct
        regression = self.intercept + torch.einsum("ngc,grc->ngr", context, self.slope)
        location = regression + torch.exp(self.log_scale) * raw[..., 1]
        log_scale = self.log_scale + _bounded(raw[..., 2])
        return torch.cat(
            [raw[..., :1] + odds[..., None], location[..., None], log_scale[..., None], _bounded(raw[..., 3:])], -1
        )

"""
EM, the number of components, and Bayes: for teaching
=====================================================

A Gaussian mixture describes where the frames of a class lie. This tutorial draws
frames from three Gaussians and watches EM find them, one iteration after the other.
Then it chooses the number of components, twice: by BIC and by variational Bayes. It
ends with the one equation that MAP adaptation and Bayes share.
"""

# %%
# Frames of a known mixture
# -------------------------
# A frame is a row of numbers. Here a row has two numbers, so that it can be drawn.
import matplotlib.pyplot as plt
import numpy as np

import speechgmm as sg
from speechgmm import plots

rng = np.random.default_rng(0)
means = np.array([[-2.0, 0.0], [1.5, 1.5], [1.0, -2.0]])
frames = np.concatenate([rng.normal(mean, [0.9, 0.5], size=(300, 2)) for mean in means])

# %%
# EM, step by step
# ----------------
# EM repeats two steps. The E-step computes, for each frame, the posterior probability
# of each component: who explains this frame? The M-step sets each component to the
# weighted mean and variance of the frames it explains.
#
# The start below is bad on purpose: three components close together. ``max_iter`` ends
# EM after so many iterations.
start = sg.DiagGMM(
    weights=np.full(3, 1 / 3),
    means=[[0.0, 0.0], [0.2, 0.3], [-0.2, 0.2]],
    variances=np.full((3, 2), 4.0),
)

figure, panels = plt.subplots(2, 3, figsize=(9, 6), sharex=True, sharey=True)
for iterations, ax in zip([0, 1, 3, 8, 15, 40], panels.flat, strict=True):
    model = start
    if iterations:
        model = sg.fit_gmm(
            frames, start=start, max_iter=iterations, tol=0, overrelaxed=False
        ).model
    mean = sg.log_likelihoods(model, frames).mean()
    plots.mixture(
        model, frames, ax=ax, title=f"after {iterations}: {mean:.3f} nats per frame"
    )
figure.tight_layout()

# %%
# The mean log-likelihood of a frame never falls. That is a theorem (Dempster, Laird
# and Rubin 1977), and the tests of this package hold it. EM finds a local maximum:
# which one depends on the start.

# %%
# The same in one call
# --------------------
# ``fit_gmm`` chooses a start from the data and stops when an iteration gains almost
# nothing. ``trace`` has the mean log-likelihood after each iteration.
fit = sg.fit_gmm(frames, n_components=3, seed=0)
print(fit.model.means.round(2))
print(
    len(fit.trace), "iterations, at the end", round(fit.trace[-1], 3), "nats per frame"
)

# %%
# How many components?
# --------------------
# More components always fit the training frames better. The Bayesian information
# criterion (BIC) subtracts a price for every parameter. Here it is in nats per frame,
# and the greatest value is the best.
choice = sg.choose_n_components(frames, candidates=range(1, 9))
print(choice.why)

figure, ax = plt.subplots(figsize=(6, 3.5))
ax.plot(
    [one.n_components for one in choice.candidates],
    [one.value for one in choice.candidates],
    "o-",
)
ax.set(
    xlabel="components",
    ylabel="nats per frame",
    title="Log-likelihood less the price of the parameters (BIC)",
)
figure.tight_layout()

# %%
# Variational Bayes switches components off
# -----------------------------------------
# Give twelve components and a prior that prefers few. Variational Bayes finds a
# distribution over mixtures, and the components that the frames do not need get almost
# no weight.
bayes = sg.fit_variational(frames, n_components=12, seed=0)
print(bayes.n_in_use, "of 12 components are in use")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
left.bar(range(12), np.sort(bayes.model.weights)[::-1])
left.set(xlabel="component, by weight", ylabel="weight")
plots.mixture(bayes.model, frames, ax=right, title="At the mean of the posterior")
figure.tight_layout()

# %%
# posterior = prior + statistics
# ------------------------------
# MAP adaptation (Gauvain and Lee 1994) starts from a background model and a few frames
# of one speaker. The statistics of the frames are the same sums as in EM. The prior
# counts as ``relevance`` frames for each component: a component with many frames moves
# to them, a component without frames stays where it was.
few = rng.normal([2.5, 2.5], 0.3, size=(20, 2))
adapted = sg.adapt_map(fit.model, few, relevance=16).model

figure, ax = plt.subplots(figsize=(6, 5))
plots.mixture(adapted, few, ax=ax, title="One component follows 20 frames, two stay")
ax.plot(*fit.model.means.T, "k+", markersize=12)
figure.tight_layout()

counts = sg.posteriors(fit.model, few).sum(axis=0)
for component, n in enumerate(counts):
    moved = np.linalg.norm(adapted.means[component] - fit.model.means[component])
    print(
        f"component {component}: {n:5.1f} frames,",
        f"weight of the data {n / (n + 16):.2f}, moved by {moved:.2f}",
    )

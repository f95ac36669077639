"""
A mixture in two dimensions
===========================

A Gaussian mixture describes where the frames of a class lie. This tutorial draws frames from three Gaussians, fits
mixtures by EM, and asks the fitted mixture about new frames.
"""

# %%
# Frames of a known mixture
# -------------------------
# A frame is a row of numbers. Here a row has two numbers, so that it can be drawn.
import matplotlib.pyplot as plt
import numpy as np

import speechgmm as sg

rng = np.random.default_rng(0)
means = np.array([[-2.0, 0.0], [1.5, 1.5], [1.0, -2.0]])
frames = np.concatenate([rng.normal(mean, [0.9, 0.5], size=(300, 2)) for mean in means])

# %%
# Fit by EM
# ---------
# ``fit_gmm`` starts from k-means and maximises the likelihood. The trace has the mean log-likelihood of a frame after
# each iteration. It never falls.
fit = sg.fit_gmm(frames, n_components=3, seed=0)
print(fit.model.means.round(2))
print([round(value, 3) for value in fit.trace[:3]], "...", round(fit.trace[-1], 3))

# %%
# Which component explains a frame
# --------------------------------
# ``posteriors`` gives the probability of each component for each frame; ``log_likelihoods`` gives nats. The lines show
# where the density is equal. The axes of the covariances are parallel to those of the features: they are diagonal.
grid = np.stack(np.meshgrid(np.linspace(-5, 5, 120), np.linspace(-5, 5, 120)), axis=-1)
density = sg.log_likelihoods(fit.model, grid.reshape(-1, 2)).reshape(grid.shape[:2])

figure, axes = plt.subplots(figsize=(6, 5))
axes.scatter(*frames.T, c=sg.posteriors(fit.model, frames), s=6)
axes.contour(grid[..., 0], grid[..., 1], density, levels=np.arange(-9, -2), colors="black", linewidths=0.7)
axes.set(xlabel="feature 1", ylabel="feature 2", title="Posteriors as colours, log-density as lines")
figure.tight_layout()

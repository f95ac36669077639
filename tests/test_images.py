"""Laws of segmented images: mean field, features of pixels, files, and the recipe from end to end."""

import importlib.util
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import VariationalFit
from speechgmm.images import (
    PixelSpec,
    SegmentationSpec,
    entropy,
    free_energy,
    neighbour_weights,
    pixel_features,
    segment,
    smooth,
)

ROOT = Path(__file__).resolve().parents[1]
needs_scikit_image = pytest.mark.skipif(
    importlib.util.find_spec("skimage") is None,
    reason="scikit-image is not installed: pip install 'speechgmm[image]'",
)


def maps(rng, shape, n_components=3, sharpness=0.3):
    return rng.dirichlet(np.full(n_components, sharpness), size=shape).astype(np.float32)


def energy_by_loops(q, p, strength, weights):
    """The definition, pair by pair, in float64."""
    q, p = q.astype(float), np.maximum(p.astype(float), 1e-10)
    total = (q * np.log(np.maximum(q, 1e-30) / p)).sum()
    for (down, right), weight in weights.items():
        for i, j in product(*map(range, q.shape[:2])):
            if i + down < q.shape[0] and 0 <= j + right < q.shape[1]:
                total -= strength * weight[i, j] * (q[i, j] @ q[i + down, j + right])
    return total / q[..., 0].size


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 37),
    width=st.integers(1, 9),
    n_components=st.integers(1, 4),
    neighbours=st.sampled_from([4, 8]),
    strength=st.floats(0, 20),
    contrast=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_sweep_of_mean_field_raises_the_free_energy_and_it_is_the_definitions(
    height, width, n_components, neighbours, strength, contrast, seed
):
    rng = np.random.default_rng(seed)
    before = maps(rng, (height, width), n_components)
    image = rng.random((height, width, 3)) if contrast else None
    found = smooth(before, strength=strength, neighbours=neighbours, image=image, tol=0.0, max_iter=6)
    rounding = 1e-6 * max(1, max(map(abs, found.free_energy)))
    assert all(after <= value + rounding for value, after in pairwise(found.free_energy))
    np.testing.assert_allclose(found.posteriors.sum(axis=2), 1, atol=1e-5)
    weights = neighbour_weights((height, width), neighbours=neighbours, image=image)
    expected = energy_by_loops(found.posteriors, before, strength, weights)
    assert found.free_energy[-1] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert free_energy(found.posteriors, before, weights, strength) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_where_mean_field_stops_every_pixel_answers_its_neighbours():
    rng = np.random.default_rng(1)
    before, strength = maps(rng, (9, 7)), 0.8
    found = smooth(before, strength=strength, neighbours=4, tol=0.0, max_iter=300).posteriors
    around = np.pad(found, ((1, 1), (1, 1), (0, 0)))
    said = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    score = before * np.exp(strength * said)
    np.testing.assert_allclose(found, score / score.sum(axis=2, keepdims=True), atol=1e-4)


def test_a_mirrored_map_is_smoothed_to_the_mirrored_result_where_there_is_one_answer():
    rng = np.random.default_rng(2)
    before, image = maps(rng, (8, 6), sharpness=1.0), rng.random((8, 6, 3))
    found = smooth(before, strength=0.1, image=image, tol=0.0, max_iter=60).posteriors
    for flip in (np.flipud, np.fliplr):
        turned = smooth(flip(before), strength=0.1, image=flip(image), tol=0.0, max_iter=60).posteriors
        np.testing.assert_allclose(flip(turned), found, atol=1e-5)


def test_strength_zero_changes_nothing_and_neighbours_overrule_a_doubtful_pixel():
    rng = np.random.default_rng(3)
    before = maps(rng, (5, 6))
    np.testing.assert_array_equal(smooth(before, strength=0).posteriors, before)
    doubtful = np.tile([0.95, 0.05], (7, 7, 1))
    doubtful[3, 3] = [0.3, 0.7]
    assert (smooth(doubtful, strength=1).posteriors.argmax(axis=2) == 0).all()
    sure = doubtful.copy()
    sure[3, 3] = [1e-9, 1]
    assert smooth(sure, strength=1).posteriors[3, 3].argmax() == 1


def test_an_edge_of_the_image_keeps_regions_apart_that_would_grow_together():
    image = np.zeros((10, 10, 3))
    image[:, 5:] = 1
    plain, edge = neighbour_weights((10, 10)), neighbour_weights((10, 10), image=image)
    assert [plain[offset][4, 4] ** -2 for offset in ((0, 1), (1, 0), (1, 1), (1, -1))] == pytest.approx([1, 1, 2, 2])
    assert edge[0, 1][4, 4] < 0.1 * plain[0, 1][4, 4]  # across the edge
    assert edge[0, 1][4, 2] == plain[0, 1][4, 2]  # within a region
    flat = neighbour_weights((10, 10), image=np.ones((10, 10)))
    np.testing.assert_array_equal(flat[1, 0], plain[1, 0])


def test_what_is_no_map_of_posteriors_is_refused():
    good = np.full((4, 4, 2), 0.5)
    for wrong in (good[0], -good, good * np.nan, np.zeros((0, 4, 2))):
        with pytest.raises(ShapeError, match="map"):
            smooth(wrong)
    with pytest.raises(ConfigError, match="6 neighbours; expected 4 or 8"):
        smooth(good, neighbours=6)
    with pytest.raises(ConfigError, match="strength -1"):
        smooth(good, strength=-1)
    with pytest.raises(ShapeError, match="image of shape"):
        smooth(good, image=np.zeros((4, 5)))


def test_entropy_is_nought_for_the_sure_and_one_for_the_clueless():
    np.testing.assert_allclose(entropy([[[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]]), [[0, 1]], atol=1e-6)
    assert entropy(np.ones((2, 2, 1))).tolist() == [[0, 0], [0, 0]]


@needs_scikit_image
def test_features_of_pixels_are_the_same_in_strips_and_weigh_nothing_that_is_left_out():
    rng = np.random.default_rng(4)
    image, spec = rng.random((60, 20, 3)).astype(np.float32), PixelSpec()
    whole = pixel_features(image, spec)
    assert whole.shape == (60, 20, spec.n_features) == (60, 20, 7)
    strips = [pixel_features(image, spec, slice(top, top + 13)) for top in range(0, 60, 13)]
    np.testing.assert_allclose(np.concatenate(strips), whole, atol=1e-5)
    assert pixel_features(image, PixelSpec(colour=0, position=0)).shape[2] == 2
    np.testing.assert_allclose(pixel_features(image, PixelSpec(colour=0, texture=0))[59, 19], [19 / 60, 59 / 60])
    np.testing.assert_allclose(
        pixel_features(np.ones((1, 1, 3)), PixelSpec(texture=0))[0, 0], [100, 0, 0, 0, 0], atol=0.02
    )


@needs_scikit_image
def test_texture_sees_what_colour_does_not():
    rng = np.random.default_rng(5)
    image = np.full((40, 80, 3), 0.5, np.float32)
    image[:, 40:] += 0.2 * rng.choice([-1, 1], size=(40, 40, 1))
    seen = pixel_features(image, PixelSpec(colour=0, position=0, scales=(2.0,)))[:, :, 0]
    assert seen[:, :30].max() < 0.1 < 2 < seen[:, 50:].min()


@needs_scikit_image
def test_two_noisy_halves_are_found_and_neighbours_mend_the_noise():
    rng = np.random.default_rng(6)
    truth = np.arange(48)[None] >= np.full((40, 1), 24)
    grey = np.clip(np.where(truth, 0.6, 0.4) + 0.12 * rng.standard_normal((40, 48)), 0, 1)
    image = np.repeat(grey[..., None], 3, axis=2)
    wrong = []
    for strength in (0.0, 1.0):
        found = segment(image, PixelSpec(texture=0, position=0), SegmentationSpec(2, strength=strength, contrast=False))
        labels = found.labels == found.labels[20, 40]
        wrong.append((labels != truth).mean())
        assert found.uncertainty.shape == truth.shape
    assert wrong[0] > 0.05
    assert wrong[1] < 0.3 * wrong[0]


@needs_scikit_image
@pytest.mark.parametrize("shape", [(1, 64), (64, 1), (3, 50)])
def test_an_image_one_pixel_high_or_wide_is_an_image(shape):
    image = np.random.default_rng(7).random((*shape, 3))
    found = segment(image, spec=SegmentationSpec(3))
    assert found.posteriors.shape == (*shape, 3)
    assert found.smoothed.converged


@needs_scikit_image
def test_a_mixture_of_some_pixels_serves_all_and_the_seed_says_which():
    image = np.random.default_rng(8).random((50, 60, 3)).astype(np.float32)
    image[:, 30:] *= 0.3
    few = SegmentationSpec(3, fit_pixels=500)
    found, again = segment(image, spec=few), segment(image, spec=few)
    assert found.n_fitted == 500 == found.fit.n_frames
    assert found.posteriors.tobytes() == again.posteriors.tobytes()
    assert segment(image, spec=SegmentationSpec(3)).n_fitted == 3000


@needs_scikit_image
def test_variational_bayes_leaves_out_components_that_three_colours_do_not_need():
    rng = np.random.default_rng(12)
    truth = np.repeat(np.arange(3), 20)[None].repeat(30, axis=0)
    colours = np.array([[0.8, 0.2, 0.2], [0.2, 0.7, 0.2], [0.2, 0.2, 0.9]])
    image = (colours[truth] + 0.02 * rng.standard_normal((30, 60, 3))).clip(0, 1)
    spec = SegmentationSpec(8, "variational", max_iter=200)
    found = segment(image, PixelSpec(texture=0, position=0), spec)
    assert isinstance(found.fit, VariationalFit)
    assert found.fit.n_in_use == 3
    assert len({(kind, label) for kind, label in zip(truth.ravel(), found.labels.ravel(), strict=True)}) == 3
    assert found.mixture.variances.min() >= spec.floor


@needs_scikit_image
def test_a_weight_counts_through_the_floor():
    """Two greys strewn over the image: of full weight they make the regions, of little weight positions do."""
    light = np.random.default_rng(9).random((30, 40)) < 0.5
    image = np.repeat(np.where(light, 0.6, 0.4)[..., None], 3, axis=2)
    alike = []
    for colour, position in ((1.0, 0.02), (0.02, 1.0)):
        labels = segment(image, PixelSpec(colour, 0, position), SegmentationSpec(2, strength=0)).labels
        alike.append(abs(2 * (labels == light).mean() - 1))
    assert alike[0] == 1
    assert alike[1] < 0.2


@needs_scikit_image
def test_images_that_cannot_be_cut_are_refused_with_the_reason():
    with pytest.raises(DataError, match=r"^an image of one colour"):
        segment(np.full((20, 20, 3), 0.3))
    two = np.zeros((8, 8, 3))
    two[4:] = 1
    with pytest.raises(DataError, match="too few different pixels: 2 distinct frames of 64 for 6"):
        segment(two, PixelSpec(texture=0, position=0))
    assert segment(two, PixelSpec(texture=0, position=0), SegmentationSpec(2)).mixture.n_features == 1
    for wrong, said in ((np.zeros((4, 4)), "shape"), (np.full((4, 4, 3), 1.5) * np.eye(4)[..., None], "divide bytes")):
        with pytest.raises(ShapeError, match=said):
            segment(wrong)
    for options in ({"fit_pixels": 2}, {"neighbours": 5}, {"floor": 0.0}, {"n_components": 0}, {"estimator": "mcmc"}):
        with pytest.raises(ConfigError):
            SegmentationSpec(**options)
    for weights in ({"colour": 0, "texture": 0, "position": 0}, {"colour": -1}, {"scales": ()}, {"scales": (0.1,)}):
        with pytest.raises(ConfigError):
            PixelSpec(**weights)


@needs_scikit_image
def test_pictures_are_read_as_they_look(tmp_path):
    import tifffile
    from PIL import Image

    from speechgmm.io.image_file import read_picture, write_labels

    rng = np.random.default_rng(10)
    colours = rng.integers(0, 256, size=(5, 4, 3), dtype=np.uint8)
    alpha = np.full((5, 4, 1), 255, np.uint8)
    alpha[0] = 0
    deep = rng.integers(0, 2**16, size=(5, 4), dtype=np.uint16)
    deep[0, 0] = 40_000
    Image.fromarray(colours).save(tmp_path / "colour.png")
    Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / "alpha.png")
    Image.fromarray(colours[:, :, 0]).save(tmp_path / "grey.png")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    tifffile.imwrite(tmp_path / "deep.tif", np.dstack([deep] * 3), photometric="rgb")
    Image.fromarray(colours).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "print.tif")
    read = {
        name: read_picture(tmp_path / name) for name in ("colour.png", "alpha.png", "grey.png", "deep.png", "deep.tif")
    }
    for picture in read.values():
        assert picture.pixels.shape == (5, 4, 3)
        assert picture.pixels.dtype == np.float32
    np.testing.assert_allclose(read["colour.png"].pixels, colours / 255, atol=1e-6)
    assert read["colour.png"].notes == ()
    assert (read["alpha.png"].pixels[0] == 1).all()
    assert read["alpha.png"].notes == ("20 % of it transparent, laid over white",)
    np.testing.assert_allclose(read["alpha.png"].pixels[1:], colours[1:] / 255, atol=1e-6)
    assert "grey" in read["grey.png"].notes
    np.testing.assert_allclose(read["deep.png"].pixels[..., 0], deep / 65535, atol=1e-6)
    np.testing.assert_allclose(read["deep.tif"].pixels[..., 1], deep / 65535, atol=1e-6)
    assert read_picture(tmp_path / "palette.png").pixels.shape == (5, 4, 3)
    labels = np.arange(20).reshape(5, 4)
    write_labels(tmp_path / "labels.png", labels)
    with Image.open(tmp_path / "labels.png") as written:
        np.testing.assert_array_equal(np.asarray(written), labels)


@needs_scikit_image
def test_files_that_are_no_single_picture_are_refused_by_name(tmp_path):
    import tifffile
    from PIL import Image

    from speechgmm.io.image_file import read_picture

    picture = Image.fromarray(np.random.default_rng(11).integers(0, 256, size=(40, 40, 3), dtype=np.uint8))
    picture.save(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "text.tif").write_text("not a picture")
    picture.save(tmp_path / "film.gif", save_all=True, append_images=[picture.rotate(90)])
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((7, 9, 9, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "far.tif", np.full((9, 9), 7.5, np.float32))
    for name, said in (
        ("none.png", "there is no such file"),
        (".", "is a folder"),
        ("cut.png", "damaged or cut off"),
        ("text.jpg", "no picture that Pillow can read"),
        ("text.tif", "no TIFF"),
        ("film.gif", "2 pictures in one file"),
        ("stack.tif", r"shape \(7, 9, 9, 3\)"),
        ("far.tif", "expected 0 to 1"),
    ):
        with pytest.raises(DataError, match=said):
            read_picture(tmp_path / name)


@needs_scikit_image
def test_the_recipe_draws_a_crop_from_end_to_end_and_refuses_with_a_status(tmp_path):
    import skimage.data
    from PIL import Image

    Image.fromarray(skimage.data.coffee()[120:200, 100:220]).save(tmp_path / "crop.png")
    Image.fromarray(np.full((20, 20, 3), 7, np.uint8)).save(tmp_path / "blank.png")
    spec = importlib.util.spec_from_file_location("recipe", ROOT / "recipes" / "image_segmentation.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    app = typer.Typer()
    app.command()(recipe.main)

    def run(*arguments):
        return CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])

    done = run(str(tmp_path / "crop.png"), "--components", "3", "--compare")
    assert done.exit_code == 0, done.output
    assert "120 x 80 pixels" in done.output
    assert "scikit-learn" in done.output
    with (
        Image.open(tmp_path / "out" / "crop-regions.png") as drawn,
        Image.open(tmp_path / "out" / "crop-labels.png") as labels,
    ):
        assert min(drawn.size) > 300
        assert labels.size == (120, 80)
    for arguments, status, said in (
        ([str(tmp_path / "blank.png")], 1, "blank.png: an image of one colour"),
        (["no-such-photograph"], 1, "it has astronaut"),
        ([str(tmp_path / "crop.png"), "--neighbours", "5"], 2, "error: 5 neighbours"),
        ([str(tmp_path / "crop.png"), "--colour", "0", "--texture", "0", "--position", "0"], 2, "above 0"),
    ):
        refused = run(*arguments)
        assert refused.exit_code == status
        assert said in refused.output
    refused = CliRunner().invoke(app, [str(tmp_path / "crop.png"), "--out", str(tmp_path / "crop.png")])
    assert (refused.exit_code, "a file; the pictures need a folder" in refused.output) == (2, True)

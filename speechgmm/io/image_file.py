"""Pictures from files: whatever Pillow and tifffile read, as sRGB from 0 to 1 (extra ``image``).

Owns what becomes of transparency, greys, palettes and depths; what was changed on the way is said in notes. Refuses
files that hold several pictures, and what is none.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_atomically


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as pixels."""

    pixels: NDArray[np.float32]  # (H, W, 3), sRGB, 0 to 1
    notes: tuple[str, ...]  # what was done to it, for people


def read_picture(path: Path) -> Picture:
    """Read a picture.

    Transparent pixels are laid over white, a grey is three equal colours, 16 bits stay 16 bits in PNG greys and TIFF
    (Pillow reads coloured 16-bit PNG as 8), and a camera's turn (EXIF) is obeyed.

    Raises:
        DataError: No such file; no picture; several in one file; values that no picture has.
        ConfigError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise ConfigError(
            "pictures are read by Pillow, which is not installed: pip install 'speechgmm[image]'"
        ) from None
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}; expected a picture")
    if path.suffix.lower() in (".tif", ".tiff"):
        return _picture(path, _tiff(path))
    try:
        with Image.open(path) as opened:
            count = getattr(opened, "n_frames", 1)
            if count > 1:
                raise DataError(f"{path}: {count} pictures in one file; save the one that is meant on its own")
            upright = ImageOps.exif_transpose(opened)
            mode = upright.mode
            if mode in ("P", "PA"):
                upright = upright.convert("RGBA")
            elif mode not in ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F"):
                upright = upright.convert("RGB")
            if mode == "1":
                upright = upright.convert("L")
            values = np.asarray(upright)
            if mode == "I":  # 16 bits in Pillow's 32
                values = values.astype(np.uint16)
    except UnidentifiedImageError:
        raise DataError(f"{path}: no picture that Pillow can read; is it a recording, a text, a raw format?") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error}; a picture of this size must be made smaller first") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: the picture is damaged or cut off ({error})") from None
    return _picture(path, values)


def _tiff(path: Path) -> NDArray[Any]:
    try:
        import tifffile
    except ImportError:
        raise ConfigError("TIFF is read by tifffile: pip install 'speechgmm[image]'") from None
    try:
        values: NDArray[Any] = tifffile.imread(path)
    except Exception as error:  # tifffile raises whatever it meets
        raise DataError(f"{path}: no TIFF that tifffile can read ({error})") from None
    return values


def _picture(path: Path, values: NDArray[Any]) -> Picture:
    notes = []
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or values.size == 0:
        raise DataError(
            f"{path}: pixels of shape {values.shape}; expected (height, width) or (height, width, 1 to 4): several "
            "pictures or bands in one file?"
        )
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
    if values.dtype in (np.uint8, np.uint16):
        pixels = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
        if values.dtype == np.uint16:
            notes.append("16 bits")
            if 0 < values.max() < 2**12:
                notes.append(f"no value above {values.max()} of 65535: very dark, or 12 bits that were not scaled")
    elif values.dtype.kind == "f":
        pixels = values.astype(np.float32)
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            raise DataError(f"{path}: values from {values.min():g} to {values.max():g}; expected 0 to 1")
    else:
        raise DataError(f"{path}: pixels of type {values.dtype}; expected 8 or 16 bits, or 0 to 1")
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1:]
        share = float((alpha < 1).mean())
        notes.append(f"{100 * share:.3g} % of it transparent, laid over white" if share else "opaque, alpha dropped")
        pixels = pixels[:, :, :-1] * alpha + (1 - alpha)
    if pixels.shape[2] == 1:
        notes.append("grey")
        pixels = np.repeat(pixels, 3, axis=2)
    return Picture(np.ascontiguousarray(pixels), tuple(notes))


def write_labels(path: Path, labels: NDArray[np.intp]) -> None:
    """Write a map of labels (H, W) as a grey PNG: 8 bits up to 256 of them, else 16; whole or not at all.

    Raises:
        DataError: More than 65,536 labels; a place that cannot be written.
    """
    from PIL import Image

    if labels.size and labels.max() >= 2**16:
        raise DataError(f"{path}: label {labels.max()}; a PNG holds 65,536 kinds at most")
    depth = np.uint8 if labels.size == 0 or labels.max() < 2**8 else np.uint16
    buffer = io.BytesIO()
    Image.fromarray(labels.astype(depth)).save(buffer, format="PNG")
    write_atomically(path, lambda file: file.write(buffer.getvalue()))

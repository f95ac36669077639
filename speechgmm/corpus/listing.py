"""Problems as a list that ends before it floods the screen."""

MOST_LISTED = 20


def listed(problems: list[str], most: int = MOST_LISTED) -> str:
    """Problems as an indented list that ends in a count where there are too many."""
    lines = [f"  {problem}" for problem in problems[:most]]
    if len(problems) > most:
        lines.append(f"  ... and {len(problems) - most} more")
    return "\n".join(lines)

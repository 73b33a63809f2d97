"""Money is an integer number of fen; it is never a float."""


def format_yuan(amount_fen: int) -> str:
    """Return an amount in fen as yuan with two decimals, e.g. 12345 -> "123.45"."""
    sign = "-" if amount_fen < 0 else ""
    yuan, fen = divmod(abs(amount_fen), 100)
    return f"{sign}{yuan}.{fen:02d}"


def parse_yuan(text: str) -> int:
    """Return the fen in a yuan amount such as "123.45"; raise ValueError for anything else.

    At most two decimals are accepted: half a fen does not exist.
    """
    yuan, point, fraction = text.partition(".")
    if not (yuan.isascii() and yuan.isdigit()) or (point and not fraction):
        raise ValueError("not an amount of yuan")
    if fraction and not (fraction.isascii() and fraction.isdigit() and len(fraction) <= 2):
        raise ValueError("not an amount of yuan")
    return int(yuan) * 100 + int(fraction.ljust(2, "0") if fraction else "0")

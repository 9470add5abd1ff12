"""What KTRDR did wrong in answer to one request."""


class KtrdrFailure(AssertionError):
    """KTRDR did something wrong in answer to one request: the text is a finished failure message."""


def failure(expected: str, seen: str, again: str = "") -> KtrdrFailure:
    return KtrdrFailure(f"Expected: {expected}\n     but: {seen}" + (f"\n   again: {again}" if again else ""))

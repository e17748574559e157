"""What an engine tells on its way, in words: on the screen of `ptrain run`, in `ptrain show` and in
the dashboard's log."""

from __future__ import annotations

from engine.contract.events import Compiled, Compiling, PrefixKept, Unfrozen, Warned

News = Unfrozen | PrefixKept | Compiling | Compiled | Warned


def words(event: News, epochs: int) -> list[str]:
    """Lines. `epochs`: of the whole run."""
    match event:
        case Unfrozen():
            layers = ", ".join(event.layers)
            return [
                f"epoch {event.epoch + 1}/{epochs}  from here on trains too: {layers}"
                f"  ({event.trainable:,} parameters in all)"
            ]
        case PrefixKept():
            sides = (("train", event.train), ("val", event.val))
            return [f"{split}: {said}" for split, said in sides if said]
        case Compiling():
            return [f"{event.split}: compiling ({event.mode}); the first steps take longer"]
        case Compiled():
            return [f"{event.split}: compiled in {event.seconds:.3g} s"]
        case Warned():
            return [f"warning: {event.what}{f'; {event.remedy}' if event.remedy else ''}"]

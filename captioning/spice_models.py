"""python -m captioning.spice_models: fetches Stanford CoreNLP 3.6.0, with which SPICE parses captions.

Writes data/corenlp/: the code and the two models that SPICE reads, 80 MB of a download of about 385 MB by Maven
coordinates through jgo. No network is needed where the folder `$CORENLP` has these jars, or where `lookbook fetch
corenlp` was run before. With `caption_score.spice: skip` only a note is written. CoreNLP is GPL: it is fetched, never
shipped.
"""

from captioning.scores.java.corenlp import OUT, SKIPPED, VERSION, fetch
from captioning.scores.settings import CaptionScore
from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run


class Params(Section):
    """The keys of params.yaml that this stage reads."""

    caption_score: CaptionScore


def main() -> None:
    """Fetch CoreNLP, or write the note that SPICE is skipped."""
    if read(Params).caption_score.spice == "skip":
        note = "caption_score.spice: skip in params.yaml; SPICE is not computed\n"
        with new_folder(OUT) as partial:
            (partial / SKIPPED).write_text(note, encoding="utf-8")
        print_summary(f"wrote {OUT / SKIPPED}: SPICE is skipped")
        return
    with new_folder(OUT) as partial:
        fetch(partial)
    megabytes = sum(path.stat().st_size for path in OUT.iterdir()) / 1e6
    print_summary(f"wrote {OUT}: CoreNLP {VERSION} for SPICE, {megabytes:.0f} MB")


if __name__ == "__main__":
    run(main)

"""What a card says about where its weights come from and what they are not for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from train.data import DataError
from train.files import write_text
from train.measures import in_years
from train.recipe import ATTRIBUTE, RECIPES, Recipe, read_recipe, words_for
from train.state import Progress

RUNS = Path("runs")  # where the runs of a card's commands lie

DATA = {
    "fer2013": (
        "FER2013 (Goodfellow et al. 2013), part Training without the pictures that are also in a held-out part, "
        "with the votes of FER+ (Barsoum et al. 2016)"
    ),
    "utkface": "UTKFace (Zhang, Song, Qi 2017), part train of split.csv",
    "fairface": (
        "FairFace (Kärkkäinen, Joo 2021), 40 % of its validation set and parts of its training set; a part with "
        "only men is used for ages, not for gender"
    ),
    "fairface_wide": "FairFace (Kärkkäinen, Joo 2021) at padding 1.25, in the parts of fairface",
    "web": "faces of public figures collected on the web, by gender (zukost/DSCA on GitHub), part train of split.csv",
    "aaf": (
        "All-Age-Faces (Cheng, Li, Wang, Yu, Wang 2019; middleyuan/All-Age-Faces-Dataset on GitHub), nine tenths, "
        "without the pictures that UTKFace or FairFace hold out"
    ),
    "imdb": "IMDB-WIKI (Rothe, Timofte, Van Gool 2015), its part IMDB, filtered by face score, second face and age",
    "wiki": "IMDB-WIKI (Rothe, Timofte, Van Gool 2015), its part WIKI, filtered by face score, second face and age",
    "jaffe": "JAFFE (Lyons et al. 1998)",
    "faces_boxes": (
        "photographs with boxes of faces: five events of WIDER FACE's training part (Yang et al. 2016), people "
        "with masks (jolignier/face-mask-dataset-ilc-2021, iAmEthanMai/mask-detection-dataset) and street photographs "
        "(bearpaw/clothing-co-parsing, boxes by SCRFD), points by YuNet (Wu et al. 2023); part train of boxes.csv"
    ),
    "no_faces": "pictures without faces, as determined by YuNet, from EliSchwartz/imagenet-sample-images",
}
LICENCES = {
    "fer2013": "FER2013: from a Kaggle competition, for research; FER+: MIT",
    "utkface": "UTKFace: for non-commercial research",
    "fairface": "FairFace: CC BY 4.0",
    "fairface_wide": "FairFace: CC BY 4.0",
    "web": "faces from the web: no licence stated",
    "aaf": "All-Age-Faces: no licence stated, to be cited in research",
    "imdb": "IMDB-WIKI: for academic research",
    "wiki": "IMDB-WIKI: for academic research",
    "jaffe": "JAFFE: for non-commercial research",
    "faces_boxes": (
        "WIDER FACE: for research; faces with masks: MIT, in part none stated; Clothing Co-Parsing: none stated; "
        "SCRFD: for non-commercial research; YuNet: MIT"
    ),
    "no_faces": "ImageNet: for non-commercial research",
}
LIMITS = {
    "faces": (
        "Detects faces of about 12 pixels and more in its input. Misses smaller, heavily covered, very dark and "
        "upside-down faces, and sometimes takes a pattern for a face. Landmarks of profiles and of masked faces "
        "are guesses. Does not recognise people."
    ),
    "emotion": (
        "Describes the expression of a face, not what a person feels. People agree with its training labels in "
        "about two of three cases. Least accurate on fear, sadness, anger and disgust, which it confuses with "
        "each other and with neutral. Not for judging people: no hiring, policing, teaching, medicine or credit."
    ),
    "votes": (
        "Describes the expression of a face as most of ten people would, not what a person feels. Least accurate "
        "on disgust, fear and sadness, which it often takes for neutral. Not for judging people: no hiring, "
        "policing, teaching, medicine or credit."
    ),
    "gender": (
        "Estimates whether strangers would call a face man or woman, which is not a person's gender. Much less "
        "accurate on children, and not equally accurate for all races. Not for any decision about a person."
    ),
    "age": (
        "Estimates the age that a face looks like. Underestimates old people by many years. Cannot answer above "
        "100 years. Not for proof of age or any decision about a person."
    ),
}
# On which data sets, and for which parts, a card gives figures: held-out ones only.
FIGURES_ON = {
    "emotion": ("fer2013",),
    "votes": ("fer2013",),
    "gender": ("utkface", "fairface"),
    "age": ("utkface", "fairface"),
}


def learned_from(run: Path, recipe: Recipe) -> dict[str, object]:
    """What a card says about data, terms, commands and the run; of one read out of a model, what its card said."""
    if trained := origin(run).get("trained"):
        return {name: trained[name] for name in ("data", "licence", "command", "run") if name in trained}
    sources = [source for each in lineage(recipe) for source in (*each.repeats, *each.unlabelled)]
    sources = list(dict.fromkeys(sources))
    earlier = [origin(each).get("trained", {}).get("run") for each in before(recipe)]
    return {
        "data": [DATA.get(source, source) for source in sources],
        "licence": "; ".join(LICENCES.get(source, f"{source}: not said") for source in sources),
        "command": command(recipe),
        "run": "; it starts from: ".join([ended(run), *filter(None, earlier)]),
    }


def lineage(recipe: Recipe) -> list[Recipe]:
    """The recipe and those of all runs whose weights or answers went into it, where they are still there."""
    return [recipe, *(each for run in before(recipe) for each in lineage(read_recipe(run)))]


def before(recipe: Recipe) -> list[Path]:
    """The runs that it learns or starts from, where they are still there."""
    runs = map(Path, [*recipe.teachers, *([recipe.start] if recipe.start else [])])
    return [run for run in runs if (run / "recipe.json").is_file()]


def nets_of_others(recipe: Recipe) -> list[str]:
    """Whose nets have had a part in it, in words."""
    return [net for run in before(recipe) for net in origin(run).get("nets", []) + nets_of_others(read_recipe(run))]


def ended(run: Path) -> str:
    """How long the run took and where it got; a run with --seconds comes to fewer epochs on a slower machine."""
    history = Progress.read(run).history
    best = min(history, key=lambda row: row["error"])
    took = f"{len(history)} epochs in {history[-1]['seconds']:.0f} s"
    return f"{took}, best on the validation part after epoch {best['epoch']}"


def command(recipe: Recipe) -> str:
    """The command that trains this again, after those of the runs that it starts from or learns from."""
    return " && ".join(commands(recipe))


def commands(recipe: Recipe) -> list[str]:
    """Each command once, however many runs need what it makes."""
    found = []
    for run in before(recipe):
        made = origin(run).get("command")
        *earlier, last = [made] if made else commands(read_recipe(run))
        found += [*earlier, last if made else f"{last} --out {RUNS / run.name}"]
    start = recipe.start and str(RUNS / Path(recipe.start).name)  # Where it lay is of no use to anybody else.
    said = replace(recipe, start=start, teachers=tuple(str(RUNS / Path(run).name) for run in recipe.teachers))
    words = ["python -m train", recipe.task, *words_for(said, RECIPES.get(recipe.task, ATTRIBUTE))]
    return list(dict.fromkeys([*found, " ".join(words)]))


def weakest(figures: dict[str, dict]) -> str:
    """A sentence for each table of figures by groups that names the group of each kind on which they are worst."""
    sentences = []
    for title, row in figures.items():
        (figure, _), groups = next(iter(row.items())), row.get("groups", {})
        years = in_years(figure)
        worst = {}
        for name, value in groups.items():
            kind = name.split()[0]
            if kind in ("race", "ages", "gender") and (kind not in worst or (value > worst[kind][1]) == years):
                worst[kind] = (name, value)
        told = [
            f"{name} ({f'{value:.1f} years off' if years else f'{100 * value:.1f} %'})"
            for name, value in worst.values()
        ]
        if told:
            sentences.append(f"Weakest groups of {title}: {', '.join(told)}.")
    return " ".join(sentences)


def save_origin(run: Path, command: str, nets: list[str], trained: dict | None = None) -> None:
    """Note beside a run that did not come of `python -m train` the command that made it, and whose nets are in it.

    `trained`: what the card says of its training, of a run that was read out of a model.
    """
    noted = {"command": command, "nets": nets, **({"trained": trained} if trained else {})}
    write_text(run / "origin.json", json.dumps(noted, indent=2, ensure_ascii=False) + "\n")


def origin(run: Path) -> dict:
    """What `save_origin` noted; {} where there is nothing, DataError where it cannot be read."""
    path = Path(run) / "origin.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); a card could not say whose nets are in it.") from error

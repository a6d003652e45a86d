"""The schema of the configuration: the complete list of keys, with what they allow, their defaults and what they do.

`stages.config.load` makes a `Pipeline` of a YAML file, `python -m stages.config.reference` prints the list as a page.
The stages are given the finished `Pipeline` in their `Settings`; they import no yaml for it. No `annotations` from the
future: who reads the schema goes by the types of its fields, which would be texts.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Self

from ..areas import Areas, flaw_of_line, flaw_of_zone
from ..errors import FacepipeError
from ..protocol.limits import ASKED_PER_S
from .amounts import DURATION, SIZE, bytes_of, duration_s
from .connections import Mqtt, StreamAddress, Webhook
from .keys import Between, Faultless, Matching


class ConfigError(FacepipeError):
    """Something in the configuration is wrong: what, at which key and line, and what is allowed there."""


KNOWN_ATTRIBUTES = ("gender", "emotion", "age")  # each has a model of the project's own
STAGE_NAME = "[a-z][a-z0-9_-]{0,31}"
# Capture and render are no workers. The others are keys beside the attributes: `picture` in what render is missing, and
# `FACE_KEYS` in a face of results.jsonl.
FACE_KEYS = ("id", "box", "score", "landmarks", "pose", "quality", "unsure", "smoothed")
RESERVED_STAGE_NAMES = ("capture", "render", "picture", *FACE_KEYS)
CNN_HANG_S = 60.0  # dlib's CNN detector looks at a large picture for that long
MOST_DETECT_REPLICAS = 4  # of `auto`: beyond it the other stages of an ordinary machine have no core left

WEB_PORT = 8600  # of `display: web`, where none is given
SLOWLY_CHANGING = ("gender", "age")  # attributes that need not be asked about each frame
OWN_S = 1.0  # over which the answers of an attribute are smoothed for which no time is given

FolderPath = Annotated[str, Matching("the path of a folder", r"[^\0]*", fewest=1, most=4096)]
ModelPath = Annotated[str, Matching("the path of a file", r"[^\0]*", fewest=1, most=4096)]
SourceSpec = (
    Annotated[int, Between(0, 255, words="the number of a camera")]
    | Annotated[str, Matching("a file, folder, glob or URL", r"[^\0]*", fewest=1, most=4096)]
)
SOURCE_NAME = Matching(
    "1 to 64 of the characters A-Z a-z 0-9 _ . -, and not '.' or '..'", r"(?!\.\.?$)[A-Za-z0-9_.-]{1,64}"
)
SourceName = Annotated[str, SOURCE_NAME]
Replicas = Annotated[int, Between(1, 64)] | Literal["auto"]
HOST_NAME = Matching("the name of one of hosts", r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
HostName = Annotated[str, HOST_NAME]
# One process of a stage each, or several; or one host for each of several sources.
HostNames = HostName | Annotated[list[HostName], Matching("a list of them", fewest=1, most=64)]
HostOfSources = (
    HostName
    | Annotated[
        dict[SourceName, HostName], Matching("one for each of sources, such as {door: desk}", fewest=1, most=64)
    ]
)
Address = Annotated[
    str, Matching("an IP address or the name of a machine in the network", r"[A-Za-z0-9_.:-]+", fewest=1, most=253)
]

AREA_NAME = Matching("1 to 32 of the characters A-Z a-z 0-9 _ -", r"[A-Za-z0-9_-]{1,32}")
AreaName = Annotated[str, AREA_NAME]
Points = list[list[float]]
Zone = Annotated[Points, Faultless("three points or more", flaw_of_zone)]
Line = Annotated[Points, Faultless("two points", flaw_of_line)]
MOST_SOURCES = 64  # of one run, which has one render
MOST_AREAS = 64  # of each kind, for one source

# As long as a video can be. In quotes or not: this YAML reads 1:30 as a text.
TimeInVideo = (
    Annotated[float, Between(0, 1_000_000, words="seconds from 0 on")]
    | Annotated[str, Matching("a time such as 1:30 or 1:02:30.5", r"(\d{1,3}:)?\d{1,2}:[0-5]?\d(\.\d{1,6})?")]
)

Duration = Annotated[str, Matching("a duration such as 30m, 1h or 7d", DURATION)]
Size = Annotated[str, Matching("a size such as 500 MB or 20GB", SIZE)]

PublishAddress = Annotated[
    str,
    Matching(
        "tcp://ADDRESS:PORT, the port from 1 to 65535, or ipc://PATH",
        r"tcp://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):"
        r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])|ipc://[^\0]+",
        most=4096,
    ),
]
# Only `publication` takes it apart; that each of the two keys has a value of its kind is checked beside the schema.
Publish = (
    PublishAddress
    | Annotated[
        dict[Literal["address", "pixels"], PublishAddress | bool],
        Matching("{address: ..., pixels: true} for the pictures too", fewest=1, most=2),
    ]
)

PLACED = (
    "The machine of this stage, or a list of machines, each with this many `replicas`. Default: the first of `hosts`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Haar:
    """What only Haar's cascade has to be told."""

    step: Annotated[float, Between(1.01, 2), "The factor between two sizes of face that are searched."] = 1.2
    neighbours: Annotated[
        int,
        Between(0, 50),
        "How many overlapping boxes make a face. A lower number gives more faces and more false positives.",
    ] = 3


MODEL_FILES = {  # what a detector needs that does not come with facepipe, and where it is
    "dlib-cnn": "mmod_human_face_detector.dat, unpacked from http://dlib.net/files/mmod_human_face_detector.dat.bz2",
    "yunet": "face_detection_yunet_2023mar.onnx from"
    " https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
}

# What `auto` is for each detector; docs/detectors.md has what it was chosen by. A threshold of None: the card's.
SUITED = {
    "fast": {"longest_side": 448, "smallest_face": 0.04, "threshold": None},
    "haar": {"longest_side": 640, "smallest_face": 0.08, "threshold": 0.0},
    "dlib": {"longest_side": 1280, "smallest_face": 0.08, "threshold": 0.95},
    "dlib-cnn": {"longest_side": 640, "smallest_face": 0.08, "threshold": 0.0},
    "yunet": {"longest_side": 640, "smallest_face": 0.08, "threshold": 0.7},
}
# The same with `render.blur`: a face that is missed can be recognised, so the detector may take its time, and what has
# at least a score of `doubtful` is hidden too, or of `doubtful_in_views` in another view of the picture
# (vision/detectors/views.py). Detectors that are not here find fewer faces, and have no such scores.
THOROUGH = {
    "fast": {"longest_side": 640, "smallest_face": 0.03, "doubtful": 0.25, "doubtful_in_views": 0.35},
    "yunet": {"longest_side": 640, "smallest_face": 0.03, "doubtful": 0.3, "doubtful_in_views": 0.4},
}


def _each(key: str) -> str:
    """What `auto` is for every detector, in words: "1280 for `dlib`, 640 for `haar` and `yunet`"."""
    names: dict[object, list[str]] = {}
    for name, suited in SUITED.items():
        names.setdefault(suited[key], []).append(f"`{name}`")
    said = {("what the card says" if value is None else f"{value:g}"): of for value, of in names.items()}
    return ", ".join(
        f"{value} for {', '.join(of[:-1]) + ' and ' + of[-1] if of[1:] else of[0]}" for value, of in said.items()
    )


class Stage:
    """One of `stages`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect(Stage):
    """The stage that finds the faces."""

    detector: Annotated[
        Literal[tuple(SUITED)],
        "The face detector: facepipe's own network, OpenCV's Haar cascade, dlib's HOG detector,"
        " dlib's CNN detector or OpenCV's YuNet.",
    ] = "fast"
    model: Annotated[
        ModelPath | None,
        "`fast`: the card of another model instead of `models/faces.yaml`. `dlib-cnn` and `yunet`"
        " need a model file; the others take none.",
    ] = None
    longest_side: Annotated[
        Annotated[int, Between(32, 16384)] | Literal["auto"],
        "Detection runs on a copy of the picture whose longer side is at most this many pixels."
        " `auto`: "
        f"{_each('longest_side')}.",
    ] = "auto"
    smallest_face: Annotated[
        Annotated[float, Between(0, 1, above=True)] | Literal["auto"],
        "Side of the smallest detected face, as a share of the picture's shorter side. `auto`: "
        f"{_each('smallest_face')}.",
    ] = "auto"
    threshold: Annotated[
        Annotated[float, Between(0, 1)] | Literal["auto"],
        "Minimum score of a face, as in the results. A higher one gives fewer false positives and"
        " misses more faces. Each detector has its own scale. `auto`: "
        f"{_each('threshold')}.",
    ] = "auto"
    haar: Annotated[Haar, Matching("the keys of haar, such as {neighbours: 5}"), "Settings of `haar` only."] = field(
        default_factory=Haar
    )
    replicas: Annotated[Replicas, "Processes of this stage. `auto`: one per core, at most 4."] = "auto"
    host: Annotated[HostNames | None, PLACED] = None

    def resolved(self, model: str | None = None) -> Self:
        """What a detector is made of: numbers in place of `auto`, and `model` where its file was found.

        A `threshold` of None is the one that the detector's card says.
        """
        auto = {key: value for key, value in SUITED[self.detector].items() if getattr(self, key) == "auto"}
        return replace(self, **auto, model=model or self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Stage):
    """A stage that says one thing about every face."""

    kind: Annotated[
        Literal["attribute"],
        "The kind of the stage. You can omit it for `gender`, `emotion` and `age`, but not for a stage of your own.",
    ] = "attribute"
    model: Annotated[
        ModelPath,
        "The model card. `gender`, `emotion` and `age` have `models/NAME.yaml`; a stage of your own needs one.",
    ]
    device: Annotated[
        Literal["auto", "cpu", "gpu"],
        "The device that the model runs on. `auto`: a Keras model on a GPU if TensorFlow finds"
        " one; a `.tflite` or `.onnx` on the CPU. `gpu`: any of them, if there is one.",
    ] = "auto"
    replicas: Annotated[Replicas, "Processes of this stage. `auto`: 1."] = 1
    every: Annotated[
        Annotated[int, Between(1, 1000)] | Literal["auto"],
        "Videos and cameras: the stage processes only frames whose number is divisible by this,"
        " but at least about two frames of each second. For the frames between, `smoothed` keeps"
        " the last answer if faces are tracked. `auto`: 3 for `gender` and `age` if faces are"
        " tracked with a `coast` of half a second or more; otherwise 1.",
    ] = "auto"
    host: Annotated[HostNames | None, PLACED] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The stages that read the sources, one each."""

    start: Annotated[
        TimeInVideo | None, "Files: the time at which reading of every video starts. Default: the first frame."
    ] = None
    end: Annotated[
        TimeInVideo | None, "Files: the time before which reading of every video ends. Default: after the last frame."
    ] = None
    fps: Annotated[
        Annotated[float, Between(0, 1000, above=True)] | None,
        "Files: at most this number of frames of each second of a video are read, evenly spaced. Default: all.",
    ] = None
    loop: Annotated[
        bool,
        "Files: read repeatedly until you end the run. `results.jsonl` grows; no annotated files are written.",
    ] = False
    host: Annotated[
        HostOfSources | None,
        "The machine that reads the source; with `sources` it can be another one for each."
        " Default: the first of `hosts`.",
    ] = None

    @property
    def start_s(self) -> float:
        """Seconds at which the reading of a video begins."""
        return seconds_of(self.start) if self.start is not None else 0.0

    @property
    def end_s(self) -> float:
        """Seconds before which it ends."""
        return seconds_of(self.end) if self.end is not None else math.inf

    @property
    def part(self) -> tuple[float, float, float | None]:
        """The arguments of `stages.sources.Part`."""
        return self.start_s, self.end_s, self.fps


def seconds_of(time: float | str) -> float:
    """The seconds of a `TimeInVideo`: 90.0 of '1:30'."""
    parts = time.split(":") if isinstance(time, str) else [time]
    return sum(float(part) * 60**place for place, part in enumerate(reversed(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """How pictures travel between machines; within one they are always raw."""

    encoding: Annotated[
        Literal["jpeg", "png", "raw"],
        "`jpeg` is small and changes the pixels slightly; `png` and `raw` are lossless and need a fast network.",
    ] = "jpeg"
    quality: Annotated[
        int, Between(1, 100), "`jpeg`: a higher value gives larger pictures that are closer to the original."
    ] = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that stages of the pipeline run on."""

    address: Annotated[Address, "The address at which the other machines connect to it."]
    port: Annotated[
        Annotated[int, Between(1024, 65000)] | None,
        "The first of its ports: that of `render`, followed by those of the sources in their"
        " order. Only ports of stages that run there are opened. Default: `port`.",
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """The stage that joins, draws, shows and writes."""

    display: Annotated[
        Literal["auto", "window", "web", "none"],
        "Where the pictures are shown. `auto`: in a window if the machine has a screen; `web`: on"
        " a page in the browser.",
    ] = "auto"
    web: Annotated[
        Annotated[int, Between(1024, 65000)] | None,
        "The port of the web page, which is then served in addition to any `display`. Without it,"
        f" `display: web` uses {WEB_PORT} or the next free port.",
    ] = None
    web_host: Annotated[
        Address,
        "The address at which the page is served. With an address that other machines can reach,"
        " the URL contains a random token, which is printed at the start.",
    ] = "127.0.0.1"
    web_record: Annotated[
        Literal["local", "always", "never"],
        "Who may start and stop recordings on the page, which go to the folder `saved` of the run: `local`, only"
        " browsers of this machine, with a page that no other machine reaches.",
    ] = "local"
    show: Annotated[
        Literal["latest", "exact"],
        "A live source in the window: `latest` is the newest picture with the newest labels,"
        " `exact` the analysed picture.",
    ] = "latest"
    delay: Annotated[
        float,
        Between(0, 3600),
        "Pictures in the window: each is shown for this number of seconds. The arrow keys go back and forward.",
    ] = 0.0
    style: Annotated[
        Literal["compact", "plain", "full", "none"],
        "What is drawn. `compact`: box, gender and age in one line, and the emotion with a small bar; `plain`: box and"
        " one line per answer; `full`: also the detector's score, and a bar for each emotion if there is room; `none`:"
        " nothing.",
    ] = "compact"
    blur: Annotated[
        Literal["none", "pixelate", "blur"],
        "Anonymises every detected face in everything that is shown and written, and what may be a face, and the whole"
        " of a frame that could not be analysed; implies `show: exact` and a more thorough search. A face that is not"
        " detected stays visible.",
    ] = "none"
    output: Annotated[
        FolderPath | None,
        "The output folder; a relative path is relative to the working directory. Default: each"
        " run creates a folder, `out/clip`, `out/clip-2`, ….",
    ] = None
    track: Annotated[
        bool, "Videos and cameras: each face gets an `id` that follows it from frame to frame. Pictures have none."
    ] = True
    coast: Annotated[
        float,
        Between(0, 60),
        "A face that is hidden, or not found, keeps its `id` for at most this number of seconds.",
    ] = 1.0
    smooth: Annotated[
        dict[str, Annotated[float, Between(0, 3600)]],
        Matching("seconds by stage, from 0 to 3600, such as {age: 5, emotion: 0.2}", most=64),
        "Tracked faces: the number of seconds over which the answers of a stage are smoothed, for"
        " the display and for `smoothed` in the results. 0: no smoothing. A stage that is not"
        " named keeps its default; a stage of your own has 1.",
    ] = field(default_factory=lambda: {"gender": 3.0, "emotion": 0.2, "age": 5.0})
    unsure_below: Annotated[
        float,
        Between(0, 1),
        "Detectors with landmarks: a face whose `quality` is below this is tracked and drawn as"
        " `unsure` instead of labelled. A tracked face keeps the labels of better frames for up to"
        " `coast` seconds. 0: every face is labelled.",
    ] = 0.2
    publish: Annotated[
        Publish | None,
        "The address at which each finished frame is published for subscribers. An address that"
        " other machines can reach requires `hosts` and keys.",
    ] = None
    stream: Annotated[
        StreamAddress | Annotated[list[str], Matching("a list of them", fewest=1, most=8)] | None,
        "Videos and cameras: where the annotated video is streamed to while it is made: to an RTSP server such as"
        " MediaMTX, or as HLS into a folder. `{source}` in it stands for the name of the source.",
    ] = None
    events: Annotated[
        bool,
        "Videos and cameras with `track`: whether `events.jsonl` is written: who appears, leaves, enters a zone or"
        " crosses a line.",
    ] = True
    annotated: Annotated[bool, "Whether the video or pictures are also written with boxes and labels."] = True
    portraits: Annotated[
        Literal["auto", "always", "never"],
        "Videos and cameras with `track`: whether small pictures of the people, with nothing drawn into them, are kept"
        " in `portraits/` for the report. `auto`: of cameras and streams whose annotated video is written; `always`: of"
        " videos too, for a report after the file is deleted.",
    ] = "auto"
    encoder: Annotated[
        Literal["software", "auto", "nvenc", "qsv", "amf", "videotoolbox", "v4l2m2m"],
        "The H.264 encoder of the annotated video and of streams. `software`: x264; the only one that gives the same"
        " file on every machine. `auto`: the first hardware encoder that works on the machine, otherwise `software`."
        " The others: NVIDIA, Intel, AMD, macOS, and the kernel's interface for boards such as the Raspberry Pi.",
    ] = "software"
    rotate: Annotated[
        Duration | None,
        "After this time a new piece of the results, the events and the annotated video is begun, in a folder of its"
        " own: `pieces/000001`, …. Cameras and streams: at the full hour for `1h`, by the time of day of the frames."
        " Pictures, and the videos of a folder, are not divided. Default: one piece.",
    ] = None
    keep: Annotated[
        Duration | Size | None,
        "With `rotate`: how long a finished piece is kept, or how much all of them may take. Older ones are deleted"
        " when a new piece is begun. Default: all are kept.",
    ] = None
    snapshot: Annotated[
        Annotated[float, Between(0.1, 86400)] | None,
        "The number of seconds between two annotated pictures of each source that are left for `facepipe serve`.",
    ] = None
    subtitles: Annotated[
        bool, "Whether each annotated video gets a `.vtt` file with subtitles: the visible people with their labels."
    ] = False
    host: Annotated[HostName | None, "The machine that displays and writes. Default: the first of `hosts`."] = None

    @property
    def rotate_s(self) -> int | None:
        """How long a piece of the results is, in seconds; None: there is one."""
        return None if self.rotate is None else duration_s(self.rotate)

    @property
    def keep_s(self) -> int | None:
        """How long a finished piece is kept, in seconds."""
        return None if self.keep is None else duration_s(self.keep)

    @property
    def keep_bytes(self) -> int | None:
        """How much all pieces may take, in bytes."""
        return None if self.keep is None else bytes_of(self.keep)

    @property
    def publication(self) -> tuple[str, bool] | None:
        """Where to publish, and whether pictures go with it."""
        if self.publish is None:
            return None
        wanted = self.publish if isinstance(self.publish, dict) else {"address": self.publish}
        return wanted["address"], wanted.get("pixels", False)

    @property
    def streams(self) -> list[str]:
        """The addresses of the streams of each source."""
        return [self.stream] if isinstance(self.stream, str) else list(self.stream or ())

    @property
    def web_port(self) -> int | None:
        """Where the page in the browser is served; None: nowhere."""
        return self.web or (WEB_PORT if self.display == "web" else None)

    @property
    def shows_latest(self) -> bool:
        """Whether the window of a live source shows pictures that nobody has analysed yet."""
        return self.show == "latest" and self.blur == "none"


Share = Annotated[float, Between(0, 1)]
FrameNumbers = Annotated[list[int], Matching("a list of numbers of frames, such as [7, 12]", most=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """What is done to one stage on purpose, so that a person or a test can see what comes of it."""

    seed: Annotated[int, Between(0, 10**9), "Another seed gives another sequence of faults."] = 0
    delay: Annotated[
        float, Between(0, 60), "Every message that the stage sends is delayed by this number of seconds on average."
    ] = 0.0
    drop: Annotated[Share, "The share of its messages that is lost."] = 0.0
    duplicate: Annotated[Share, "The share of its messages that is sent twice."] = 0.0
    reorder: Annotated[Share, "The share of its messages that is overtaken by later ones."] = 0.0
    corrupt: Annotated[Share, "The share of its messages whose header is truncated."] = 0.0
    crash: Annotated[Share, "The share of frames at which its process ends."] = 0.0
    slow: Annotated[float, Between(0, 60), "The number of seconds by which every frame takes longer."] = 0.0
    crash_at: Annotated[FrameNumbers, "The frames at which its process always ends."] = field(default_factory=list)
    crash_between: Annotated[
        FrameNumbers, "`detect`: the frames between whose two answers, crops and faces, its process always ends."
    ] = field(default_factory=list)
    hang_at: Annotated[FrameNumbers, "The frames at which it always hangs."] = field(default_factory=list)
    fail_at: Annotated[FrameNumbers, "`detect` and attributes: the frames at which it always raises an exception."] = (
        field(default_factory=list)
    )
    once: Annotated[
        bool, "Whether only the first process of each stage has these faults; restarted ones have none."
    ] = False


def _default_stages() -> dict[str, Stage]:
    return {"detect": Detect()} | {name: Attribute(model=default_model(name)) for name in KNOWN_ATTRIBUTES}


def hosts_in(value: str | list[str] | dict[str, str] | None) -> list[str]:
    """The names in a `host` key, whichever of its forms it has."""
    match value:
        case None:
            return []
        case str():
            return [value]
        case _:
            return list(value.values() if isinstance(value, dict) else value)


def default_model(name: str) -> str:
    """The card of one of `KNOWN_ATTRIBUTES`."""
    return f"models/{name}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A whole configuration; `Pipeline()` is the default one.

    Paths stand as they were written. A relative one of a model counts from the folder of the configuration file, or
    from the project's folder if it is not there; who opens the files looks for them.
    """

    source: Annotated[
        SourceSpec,
        "What is analysed: the number of a camera, a video, a picture, a folder, a glob, a URL,"
        " `demo`, or `auto`: a camera if one opens, otherwise the demo.",
    ] = "auto"
    sources: Annotated[
        dict[SourceName, SourceSpec],
        Matching("1 to 10000 names, each with its source, such as {door: 0, yard: yard.mp4}", fewest=1, most=10_000),
        f"Several sources by name, instead of `source`. One run reads at most {MOST_SOURCES}; `facepipe deploy` makes a"
        " service of each.",
    ] = field(default_factory=dict)
    port: Annotated[
        int,
        Between(1024, 65000),
        "Identifies the run on its machine; a second run on one machine uses the next free"
        " number. With `hosts` it is the first of its TCP ports.",
    ] = 5600
    window: Annotated[int, Between(1, 1000), "Maximum number of frames of a source in flight."] = 16
    window_memory: Annotated[
        int,
        Between(10**6, 10**12, words="a size from 1 MB to 1000 GB such as 256 MB"),
        "Maximum memory of the frames of a source in flight; one frame is always allowed.",
    ] = 256_000_000
    pace: Annotated[
        bool | Literal["auto"],
        "Whether a file is read at its own speed instead of as fast as it can be analysed."
        " `auto`: if it is shown, in a window, by `display: web` or as a stream.",
    ] = "auto"
    deadline: Annotated[
        float, Between(0.01, 60), "Live sources: a frame is shown or dropped within this number of seconds."
    ] = 1.0
    give_up_after: Annotated[
        float,
        Between(0.1, 3600),
        "Live sources: a stage without a process for this number of seconds is no longer waited for.",
    ] = 5.0
    reconnect: Annotated[
        Annotated[float, Between(0, 86400)] | Literal["forever"],
        "Live sources: a camera or stream that is lost, or not available yet, is tried for this"
        " number of seconds before it is given up; with the last source the run ends.",
    ] = 60.0
    resend_after: Annotated[
        float,
        Between(0.5, 3600),
        "After this number of seconds without progress, unfinished tasks are sent again.",
    ] = 10.0
    hang: Annotated[
        float,
        Between(1, 3600),
        "A stage without a heartbeat for this number of seconds is killed and restarted; `dlib-cnn` has 60.",
    ] = 5.0
    tries: Annotated[
        int,
        Between(1, 100),
        "How often a frame may crash or hang a stage that has no other task before its answer is given up.",
    ] = 3
    stages: Annotated[
        dict[str, Stage],
        Matching("the names of stages, each with its keys, such as {gender: {}, age: {}}"),
        "The stages to run. If given, only these run, and `detect`, which always runs.",
    ] = field(default_factory=_default_stages)
    render: Annotated[Render, Matching("the keys of render, such as {display: none}"), "Display and outputs."] = field(
        default_factory=Render
    )
    capture: Annotated[Capture, Matching("the keys of capture, such as {host: door}"), "Reading of the sources."] = (
        field(default_factory=Capture)
    )
    frames: Annotated[
        Frames, Matching("the keys of frames, such as {encoding: png}"), "Encoding of pictures between machines."
    ] = field(default_factory=Frames)
    zones: Annotated[
        dict[SourceName, Zone | dict[AreaName, Zone]],
        Matching("names of zones, each with three points or more, such as {door: [[0, 0], [0.5, 0], [0.5, 1]]}"),
        "Zones of the picture, whose visitors are told in `events.jsonl`: their corners, in shares of width and height"
        " from the upper left one. With `sources`, the zones of each stand under its name.",
    ] = field(default_factory=dict)
    lines: Annotated[
        dict[SourceName, Line | dict[AreaName, Line]],
        Matching("names of lines, each with two points, such as {entrance: [[0.5, 0], [0.5, 1]]}"),
        "Lines in the picture, whose crossing is told in `events.jsonl`. `in` is from its left to its right, as seen"
        " from its first point to its second. With `sources`, the lines of each stand under its name.",
    ] = field(default_factory=dict)
    hosts: Annotated[
        dict[str, Host],
        Matching("names of machines, each with its address, such as {desk: {address: 192.168.7.10}}"),
        "The machines of the run, if there are several. Stages without a `host` run on the first.",
    ] = field(default_factory=dict)
    keys: Annotated[
        FolderPath,
        "The folder with the keys of this machine, if there are several machines; `--make-keys`"
        " creates it. A relative path is relative to the folder of the configuration file.",
    ] = "~/.config/facepipe/keys"
    mqtt: Annotated[
        Mqtt,
        Matching("the keys of mqtt, such as {broker: mqtt://localhost}"),
        "The MQTT broker for events, counts and pictures.",
    ] = field(default_factory=Mqtt)
    webhooks: Annotated[
        dict[str, Webhook],
        Matching("names of webhooks, each with its keys, such as {door: {url: https://example.org/hook}}"),
        "The servers that events are posted to.",
    ] = field(default_factory=dict)
    chaos: Annotated[
        dict[str, Chaos],
        Matching("names of stages, `capture` or `render`, each with its keys, such as {age: {drop: 0.01}}"),
        "Fault injection by stage: delays, losses, crashes. For tests and experiments.",
    ] = field(default_factory=dict)

    @property
    def detect(self) -> Detect:
        """The stage that finds the faces, which every pipeline has; with `blur` its `auto` is what finds the most."""
        detect = self.stages["detect"]
        if self.render.blur == "none":
            return detect
        thorough = THOROUGH.get(detect.detector, {})
        return replace(
            detect, **{key: value for key, value in thorough.items() if getattr(detect, key, None) == "auto"}
        )

    @property
    def leaves_visible(self) -> str | None:
        """With `blur`: why faces stay visible that could be hidden, in a sentence; None where there is no reason."""
        detect = self.detect.resolved()
        thorough = THOROUGH.get(detect.detector)
        if self.render.blur == "none":
            return None
        if thorough is None:
            return (
                f"a face that is not found is not hidden, and {detect.detector} finds fewer turned and small faces than"
                " fast; leave stages.detect.detector out to hide more"
            )
        less = {
            "longest_side": detect.longest_side < thorough["longest_side"],
            "smallest_face": detect.smallest_face > thorough["smallest_face"],
        }
        if not any(less.values()):
            return None
        named = " and ".join(f"stages.detect.{key}" for key, is_less in less.items() if is_less)
        return f"a face that is not found is not hidden; leave {named} out to find and hide smaller faces"

    def attributes(self) -> dict[str, Attribute]:
        """The attribute stages by name, in the order of the configuration."""
        return {name: stage for name, stage in self.stages.items() if name != "detect"}

    @property
    def is_connected(self) -> bool:
        """Whether events are sent to a broker or to webhooks."""
        return self.mqtt.broker is not None or bool(self.webhooks)

    @property
    def writes_annotated(self) -> bool:
        """Whether pictures are written with what was found; a loop never ends, and so no video of it is joined."""
        return self.render.annotated and not self.capture.loop

    def smooth_s(self) -> dict[str, float]:
        """Over how many seconds the answers of each attribute stage are smoothed, in the order of the configuration."""
        known = Render().smooth | self.render.smooth
        return {name: known.get(name, OWN_S) for name in self.attributes()}

    def every(self) -> dict[str, int]:
        """Which frames each attribute stage is asked about, in the order of the configuration: see `rules.asked`."""
        # Where an answer is not carried on to the next one, its label would come and go.
        carried_on = self.render.track and self.render.coast >= 1 / ASKED_PER_S
        automatic = dict.fromkeys(SLOWLY_CHANGING, 3) if carried_on else {}
        return {n: automatic.get(n, 1) if s.every == "auto" else s.every for n, s in self.attributes().items()}

    def all_sources(self) -> dict[str | None, str | int]:
        """What each capture reads, by its name; a single `source` gets its name when it is opened and has None here."""
        return dict(self.sources) or {None: self.source}

    def areas_of(self, source: str | None) -> Areas:
        """The zones and lines of one of several sources by its name; of the only one whatever it is called."""
        if self.sources:
            return Areas.of(self.zones.get(source, {}), self.lines.get(source, {}))
        return Areas.of(self.zones, self.lines)

    @property
    def reconnect_s(self) -> float:
        """How long a live source that is away is looked for."""
        return math.inf if self.reconnect == "forever" else self.reconnect

    def hang_s(self, stage: str) -> float:
        """How long a stage may be silent."""
        cnn = stage == "detect" and self.detect.detector == "dlib-cnn"
        return max(self.hang, CNN_HANG_S) if cnn else self.hang

    def replicas(self, cores: int) -> dict[str, int]:
        """How many processes each of `stages` has on a machine of so many cores."""
        automatic = {name: 1 for name in self.stages} | {"detect": max(1, min(cores, MOST_DETECT_REPLICAS))}
        return {name: automatic[name] if s.replicas == "auto" else s.replicas for name, s in self.stages.items()}


# Every section of the schema: what it is about, how the names of its keys begin, and its class.
SECTIONS = (
    ("Top level", "", Pipeline),
    ("Detector: `stages.detect`", "stages.detect.", Detect),
    ("Haar cascade: `stages.detect.haar`", "stages.detect.haar.", Haar),
    ("Attributes: `stages.NAME`", "stages.NAME.", Attribute),
    ("Display and outputs: `render`", "render.", Render),
    ("Reading: `capture`", "capture.", Capture),
    ("Picture encoding: `frames`", "frames.", Frames),
    ("Machines: `hosts.NAME`", "hosts.NAME.", Host),
    ("MQTT: `mqtt`", "mqtt.", Mqtt),
    ("Webhooks: `webhooks.NAME`", "webhooks.NAME.", Webhook),
    ("Fault injection: `chaos.STAGE`", "chaos.STAGE.", Chaos),
)

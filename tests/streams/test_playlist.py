"""What players are told of an HLS stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stages.streams.playlist import LISTED, Playlist, Segment, time_of_day

DAY = time_of_day(1_700_000_000)


def listed(*segments: Segment) -> Playlist:
    playlist = Playlist()
    for segment in segments:
        playlist = playlist.with_segment(segment)
    return playlist


def test_the_file_of_a_stream_that_has_gone_on_after_a_break_and_ended():
    playlist = listed(Segment(7, 1.0, DAY), Segment(8, 1.04, DAY, is_break=True))
    assert playlist.text("door", has_ended=True).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z",
        "#EXTINF:1.000000,",
        "door-7.ts",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z",
        "#EXTINF:1.040000,",
        "door-8.ts",
        "#EXT-X-ENDLIST",
    ]


def test_no_segment_is_longer_than_what_is_said_of_all():
    assert "#EXT-X-TARGETDURATION:5\n" in listed(Segment(1, 4.6, DAY)).text("door")


def test_old_segments_leave_the_list_and_the_breaks_among_them_are_counted():
    playlist = listed(*(Segment(number, 1.0, DAY, is_break=number in (2, 30)) for number in range(LISTED + 25)))
    assert (playlist.first, playlist.next_number, playlist.breaks) == (25, LISTED + 25, 1)


@given(
    st.lists(st.tuples(st.integers(0, 10**7).map(lambda micro: micro / 10**6), st.booleans()), min_size=1),
    st.integers(0, 10**12),
    st.booleans(),
)
def test_what_is_written_can_be_gone_on_with(rows, first, has_ended):
    playlist = listed(*(Segment(first + place, long_s, DAY, broken) for place, (long_s, broken) in enumerate(rows)))
    assert Playlist.parse(playlist.text("a name", has_ended)) == playlist


@given(st.text(), st.integers(0, 400))
def test_what_is_no_playlist_of_ours_or_was_torn_is_none(nonsense, length):
    assert Playlist.parse(nonsense) == Playlist()
    torn = listed(Segment(7, 1.0, DAY), Segment(8, 1.0, DAY)).text("door")[:length]
    assert Playlist.parse(torn).next_number in (None, 8, 9)

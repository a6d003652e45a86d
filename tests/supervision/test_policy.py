"""What the launcher decides, with a hand-driven clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol.control import Position, Ready, Say, StageHeartbeat
from stages.supervision.events import (
    Announce,
    Exited,
    Kill,
    Member,
    ReportExit,
    SourceAdded,
    SourceEnded,
    SourceIsThere,
    SourceRemoved,
    StageMessage,
    StartAgain,
    StopAsked,
    TellStop,
    Terminate,
    Tick,
)
from stages.supervision.exits import (
    RESTART_MOST_S,
    EndRun,
    Restart,
    RestartHistory,
    after_exit,
    cause_of,
    exit_description,
)
from stages.supervision.policy import Phase, Supervision

MEMBERS = [Member("render", "render", 5.0), Member("capture", "capture", 5.0), Member("gender", "gender", 5.0)]
LABELS = [member.label for member in MEMBERS]


def started(**options) -> Supervision:
    return Supervision(list(MEMBERS), 0.0, **options)


def all_ready(**options) -> Supervision:
    supervision = started(**options)
    for label in LABELS:
        assert supervision.step(StageMessage(label, Ready()), 0.0) == []
    return supervision


def tick_until(supervision: Supervision, since_s: float, until_s: float, beating=LABELS) -> list:
    """Let time pass in steps of a tenth of a second; returns (when, action)."""
    done, now_s = [], since_s
    while now_s < until_s:
        now_s = round(now_s + 0.1, 3)
        for event in (*(StageMessage(label, StageHeartbeat()) for label in beating), Tick()):
            done += [(now_s, action) for action in supervision.step(event, now_s)]
    return done


def test_after_the_last_capture_the_others_are_told_to_stop_and_the_run_is_done():
    supervision = all_ready()
    assert supervision.step(Exited("capture", 0), 1.0) == [TellStop("render"), TellStop("gender")]
    assert supervision.step(Exited("gender", 0), 1.1) == []
    assert supervision.step(Exited("render", 0), 1.2) == []
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 0, None)


def test_where_a_capture_runs_on_another_machine_the_run_here_ends_with_render():
    supervision = all_ready(ends_with="render")
    assert supervision.step(Exited("capture", 0), 1.0) == []  # The other one reads on.
    assert supervision.step(Exited("render", 0), 2.0) == [TellStop("gender")]
    assert supervision.step(Exited("gender", 0), 2.1) == []
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 0, None)


def test_a_run_with_two_captures_goes_on_after_the_first_has_ended():
    members = [*MEMBERS, Member("capture-1", "capture", 5.0)]
    supervision = Supervision(members, 0.0)
    assert supervision.step(Exited("capture", 0), 0.5) == []
    assert supervision.step(Exited("capture-1", 0), 0.6) == [TellStop("render"), TellStop("gender")]


def test_who_does_not_stop_when_told_is_terminated_after_1_5_s_and_killed_soon_after():
    supervision = all_ready()
    supervision.step(Exited("capture", 0), 0.5)
    supervision.step(Exited("gender", 0), 0.5)
    done = tick_until(supervision, 0.5, 2.5, beating=["render"])
    assert done == [(2.0, Terminate("render")), (2.2, Kill("render"))]


def test_after_ctrl_c_capture_has_2_1_s_and_render_1_5_s_more_and_all_are_dead_within_5_s():
    supervision = all_ready()
    assert supervision.step(StopAsked(130), 0.0) == [TellStop("capture")]
    assert tick_until(supervision, 0.0, 4.0) == [
        *((2.1, TellStop(label)) for label in LABELS),
        *((3.6, Terminate(label)) for label in LABELS),
        *((3.9, Kill(label)) for label in LABELS),
    ]
    for label in LABELS:
        supervision.step(Exited(label, -9), 4.1)
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 130, None)


def test_one_that_no_kill_ends_is_left_behind_and_named_before_5_s_are_over():
    supervision = all_ready()
    supervision.step(StopAsked(130), 0.0)
    tick_until(supervision, 0.0, 4.0)
    supervision.step(Exited("capture", -9), 4.0)
    supervision.step(Exited("gender", -9), 4.0)
    tick_until(supervision, 4.0, 4.9)
    assert (supervision.is_over, supervision.status) == (True, 130)
    assert supervision.sentence.startswith("render could not be ended, not even by a kill: ")


def test_killed_processes_that_take_their_time_on_a_busy_machine_are_waited_for():
    supervision = all_ready()
    for _ in range(4):
        supervision.step(StopAsked(130), 0.0)
    for now_s, label in enumerate(LABELS, 1):  # What was said long ago is heard first.
        supervision.step(StageMessage(label, StageHeartbeat(1)), now_s)
        supervision.step(Exited(label, -9), now_s)
        tick_until(supervision, now_s, now_s + 0.5, beating=[])
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 130, None)


def test_every_further_ctrl_c_goes_on_to_the_next_step_at_once():
    supervision = all_ready()
    assert supervision.step(StopAsked(130), 0.0) == [TellStop("capture")]
    assert supervision.step(StopAsked(130), 0.1) == [TellStop(label) for label in LABELS]
    assert supervision.step(StopAsked(130), 0.2) == [Terminate(label) for label in LABELS]
    assert supervision.step(StopAsked(130), 0.3) == [Kill(label) for label in LABELS]


def test_after_seconds_the_run_ends_as_if_a_person_had_quit_counted_from_when_all_were_ready():
    supervision = started(seconds=3.0)
    supervision.step(StageMessage("render", Ready()), 0.5)
    supervision.step(StageMessage("capture", Ready()), 0.5)
    assert supervision.step(StageMessage("gender", Ready()), 1.0) == []
    assert tick_until(supervision, 1.0, 4.2) == [(4.0, TellStop("capture"))]
    assert supervision.status == 0


def test_a_stage_that_is_killed_is_told_to_the_captures_and_started_again_after_a_tenth_of_a_second():
    supervision = all_ready()
    assert supervision.step(Exited("gender", -9), 1.0) == [
        ReportExit("gender", "killed"),
        Announce("gender was killed by SIGKILL; it is started again."),
    ]
    assert tick_until(supervision, 1.0, 1.3, beating=["render", "capture"]) == [(1.1, StartAgain("gender"))]
    assert (supervision.restarts, supervision.status, supervision.is_over) == ({"gender": 1}, 0, False)


def test_the_delay_doubles_until_a_task_is_finished():
    supervision = all_ready()

    def delay_s(at_s: float) -> float:
        supervision.step(Exited("gender", -9), at_s)
        [(started_s, _)] = tick_until(supervision, at_s, at_s + 3.0, beating=["render", "capture"])
        supervision.step(StageMessage("gender", Ready()), started_s)
        return round(started_s - at_s, 3)

    assert [delay_s(at_s) for at_s in (10.0, 20.0, 30.0)] == [0.1, 0.2, 0.4]
    supervision.step(StageMessage("gender", StageHeartbeat(finished=1)), 39.0)
    assert delay_s(40.0) == 0.1


def test_a_stage_that_has_said_why_it_cannot_go_on_ends_the_run():
    supervision = all_ready()
    done = supervision.step(Exited("render", 1, "the disk is full."), 1.0)
    assert done == [Kill("capture"), Kill("gender")]
    for label in ("capture", "gender"):
        supervision.step(Exited(label, -9), 1.2)
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 1, "the disk is full.")


def end_again_and_again(supervision: Supervision, label: str, status: int, times: int, at: str = "", work: int = 0):
    """Let a stage end so often; in between it becomes ready, perhaps finishes work, and says where it is."""
    for number in range(times):
        now_s = 10.0 * (number + 1)
        supervision.step(Exited(label, status, last_words="ValueError: bad"), now_s)
        if supervision.phase:
            return
        tick_until(supervision, now_s, now_s + 3.0, beating=set(LABELS) - {label})
        supervision.step(StageMessage(label, Ready()), now_s + 3.0)
        if work:
            supervision.step(StageMessage(label, StageHeartbeat(work)), now_s + 3.0)
        if at:
            supervision.step(StageMessage(label, Position(at)), now_s + 3.0)


def test_five_ends_in_a_row_by_its_own_fault_without_a_finished_task_stop_everything():
    supervision = all_ready()
    end_again_and_again(supervision, "gender", 1, times=9)
    assert supervision.restarts == {"gender": 4}
    assert (supervision.status, supervision.sentence) == (
        1,
        "gender ended with status 1: ValueError: bad, 5 times in a row without having finished anything.",
    )


@pytest.mark.parametrize("status", [-9, -15])
def test_forty_kills_from_outside_stop_nothing(status):
    supervision = all_ready()
    end_again_and_again(supervision, "gender", status, times=40)
    assert (supervision.phase, supervision.restarts) == (0, {"gender": 40})


def test_a_stage_that_works_between_its_ends_may_end_as_often_as_it_likes():
    supervision = all_ready()
    end_again_and_again(supervision, "gender", -11, times=40, work=1)
    assert supervision.phase == 0


def test_all_ends_over_one_task_count_as_one():
    supervision = all_ready()
    end_again_and_again(supervision, "gender", -11, times=8, at="frame 7 of clip.mp4")
    assert supervision.phase == 0


def test_a_frame_that_ends_render_three_times_is_named():
    supervision = all_ready()
    end_again_and_again(supervision, "render", -11, times=9, at="frame 7 of clip.mp4", work=1)
    assert supervision.sentence == ("render was killed by SIGSEGV: ValueError: bad, 3 times at frame 7 of clip.mp4.")


def test_a_stage_that_ends_twice_before_it_is_ready_ends_the_run():
    supervision = started()
    supervision.step(Exited("gender", 1, last_words="ImportError: no numpy here"), 0.5)
    assert tick_until(supervision, 0.5, 0.8, beating=[]) == [(0.6, StartAgain("gender"))]
    supervision.step(Exited("gender", 1, last_words="ImportError: no numpy here"), 0.9)
    assert (supervision.status, supervision.sentence) == (
        1,
        "gender ended with status 1: ImportError: no numpy here, twice before it was ready.",
    )


@pytest.mark.parametrize(
    ("exited", "decision"),
    [
        (Exited("capture", 0), None),
        (Exited("gender", 0), Restart(0.1)),
        (Exited("gender", 2, "no such card."), EndRun(2, "no such card.")),
        (Exited("capture", 1, "the disk is full."), EndRun(1, "the disk is full.")),
        (Exited("render", -11), Restart(0.1)),
        (Exited("render", -9, None, "Killed"), Restart(0.1)),
    ],
)
def test_what_an_end_means_that_nobody_asked_for(exited, decision):
    assert after_exit(exited, exited.label, cause_of(exited.status), RestartHistory()) == decision


def test_a_capture_that_finds_its_source_changed_when_it_comes_back_has_failed_and_not_been_refused():
    refusal = Exited("capture", 2, "clip.mp4 is another file now.")
    assert after_exit(refusal, "capture", "exit", RestartHistory(was_ready=True)) == EndRun(
        1, "clip.mp4 is another file now."
    )


def test_the_sentence_about_an_end_says_where_the_log_is():
    exited = Exited("age", -9, log="mine/logs/age.log")
    assert exit_description(exited, "killed") == "age was killed by SIGKILL (mine/logs/age.log)."


def test_a_worker_that_the_run_does_not_take_has_been_refused_although_it_was_ready():
    refusal = Exited("gender", 2, "gender is refused by capture.")
    record = RestartHistory(was_ready=True, is_ready=True)
    assert after_exit(refusal, "gender", "exit", record, once=True) == EndRun(2, "gender is refused by capture.")


@pytest.mark.parametrize(
    ("status", "cause"), [(-9, "killed"), (-15, "killed"), (-11, "exit"), (1, "exit"), (0, "exit")]
)
def test_only_a_kill_or_a_term_comes_from_outside(status, cause):
    assert cause_of(status) == cause


def test_a_render_that_is_killed_after_the_last_capture_has_ended_has_lost_nothing():
    supervision = all_ready()
    supervision.step(Exited("capture", 0), 1.0)
    supervision.step(Exited("render", -9), 1.1)
    supervision.step(Exited("gender", 0), 1.2)
    assert (supervision.is_over, supervision.status) == (True, 0)


def test_a_helper_that_was_started_for_one_run_may_end_by_itself():
    supervision = Supervision([Member("gender-7", "gender", 5.0)], 0.0, once=True)
    assert supervision.step(Exited("gender-7", 0), 1.0) == []
    assert (supervision.is_over, supervision.status) == (True, 0)


def test_the_first_failure_is_the_one_that_is_told():
    supervision = all_ready()
    supervision.step(Exited("capture", 1, "clip.mp4 is gone."), 1.0)
    supervision.step(Exited("render", 1, "it went down with the others."), 1.1)
    assert (supervision.status, supervision.sentence) == (1, "clip.mp4 is gone.")


def test_an_output_that_cannot_be_closed_is_a_failure_even_of_a_run_that_was_stopped():
    supervision = all_ready()
    supervision.step(StopAsked(130), 0.0)
    supervision.step(Exited("capture", 0), 0.1)
    supervision.step(Exited("gender", -15), 0.2)  # a worker may end as it likes
    supervision.step(Exited("render", 1, "the disk is full."), 0.3)
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 1, "the disk is full.")


def test_a_stage_without_a_heartbeat_for_as_long_as_hang_is_killed_and_started_again():
    supervision = all_ready()
    done = tick_until(supervision, 0.0, 5.3, beating=["render", "capture"])
    assert done == [(5.1, Announce("gender has shown no sign of life for 5 s.")), (5.1, Kill("gender"))]
    assert supervision.step(Exited("gender", -9), 5.3) == [
        ReportExit("gender", "hang"),
        Announce("gender hung; it is started again."),
    ]


def test_a_stage_may_be_silent_for_120_s_until_it_is_ready():
    supervision = started()
    for label in ("render", "capture"):
        supervision.step(StageMessage(label, Ready()), 0.0)
    assert tick_until(supervision, 0.0, 119.9, beating=["render", "capture"]) == []
    done = tick_until(supervision, 119.9, 120.2, beating=["render", "capture"])
    assert (120.1, Kill("gender")) in done


def test_a_launcher_that_stood_still_blames_nobody_for_it():
    supervision = all_ready()
    assert supervision.step(Tick(), 60.0) == []
    assert tick_until(supervision, 60.0, 64.9, beating=[]) == []
    assert supervision.status == 0


events = st.one_of(
    st.builds(StageMessage, st.sampled_from(LABELS), st.sampled_from([Ready(), StageHeartbeat()])),
    st.builds(StopAsked, st.sampled_from([0, 130, 143])),
    st.just(Tick()),
    st.builds(Exited, st.sampled_from(LABELS), st.sampled_from([0, 1, 2, -9]), st.sampled_from([None, "sentence."])),
)


@given(st.lists(st.tuples(events, st.floats(0, 3)), max_size=30))
def test_whatever_happens_once_the_end_has_begun_everybody_alive_is_killed_within_5_s_of_ticks(history):
    supervision, now_s, gone, killed = started(), 0.0, set(), set()
    for event, after_s in history:
        now_s += after_s
        if isinstance(event, Exited):
            if event.label in gone:
                continue
            gone.add(event.label)
        actions = supervision.step(event, now_s)
        gone -= {action.label for action in actions if isinstance(action, StartAgain)}
        killed |= {action.label for action in actions if isinstance(action, Kill)}
    if supervision.phase == 0:
        actions = tick_until(supervision, now_s, now_s + RESTART_MOST_S + 0.1)
        gone -= {action.label for _, action in actions if isinstance(action, StartAgain)}
    else:
        actions = tick_until(supervision, now_s, now_s + 5.0)
        assert killed | {action.label for _, action in actions if isinstance(action, Kill)} >= set(LABELS) - gone
    assert supervision.is_over == (gone == set(LABELS) or supervision.phase > 0)


def test_sigterm_lets_the_captures_of_a_part_leave_and_ctrl_c_ends_the_run():
    for status, leave in ((143, True), (130, False)):
        supervision = Supervision(MEMBERS[1:], 0.0, leaves=True)
        assert supervision.step(StopAsked(status), 0.0) == [TellStop("capture", leave)]
        assert supervision.step(Exited("capture", 0), 0.1) == [TellStop("gender")]
        assert supervision.step(Exited("gender", 0), 0.2) == [] and supervision.is_over
        assert supervision.status == status


# --- Several sources ---

TWO = [*MEMBERS, Member("capture-1", "capture", 5.0, 1)]
THIRD = Member("capture-2", "capture", 5.0, 2)


def two_sources_under_way() -> Supervision:
    supervision = Supervision(list(TWO), 0.0)
    for member in TWO:
        supervision.step(StageMessage(member.label, Ready()), 0.0)
    for label in ("capture", "capture-1"):
        supervision.step(StageMessage(label, StageHeartbeat(finished=3)), 0.1)
    return supervision


def test_a_source_that_fails_ends_alone_and_the_run_says_so_at_its_end():
    supervision = two_sources_under_way()
    gone = "yard.mp4 cannot be read from frame 7 on."
    assert supervision.step(Exited("capture-1", 1, gone), 1.0) == [
        SourceEnded("capture-1", gone),
        Announce(f"{gone} The other sources continue."),
    ]
    assert supervision.step(Exited("capture", 0), 2.0) == [TellStop("render"), TellStop("gender")]
    for label in ("gender", "render"):
        supervision.step(Exited(label, 0), 2.1)
    assert (supervision.is_over, supervision.status, supervision.sentence) == (True, 1, gone)


def test_a_run_whose_last_source_fails_ends_with_it():
    supervision = two_sources_under_way()
    supervision.step(Exited("capture", 0), 1.0)
    done = supervision.step(Exited("capture-1", 1, "yard is away."), 2.0)
    assert done == [SourceEnded("capture-1", "yard is away."), TellStop("render"), TellStop("gender")]
    assert (supervision.status, supervision.sentence) == (1, "yard is away.")


def test_a_source_whose_capture_crashes_again_and_again_ends_alone():
    supervision, now_s = two_sources_under_way(), 1.0
    for _ in range(5):
        done = supervision.step(Exited("capture-1", 1), now_s)
        now_s += 3.0
        supervision.step(StageMessage("capture", StageHeartbeat(finished=4)), now_s)
        supervision.step(Tick(), now_s)
        supervision.step(StageMessage("capture-1", Ready()), now_s)
    assert [type(action) for action in done] == [SourceEnded, Announce]
    assert "5 times in a row" in supervision.failed["capture-1"]
    assert supervision.phase == Phase.RUNNING


def test_two_captures_that_each_crash_once_as_they_start_are_both_started_again():
    supervision = Supervision(list(TWO), 0.0)
    supervision.step(Exited("capture", 1), 0.1)
    supervision.step(Exited("capture-1", 1), 0.2)
    assert supervision.step(Tick(), 0.5) == [StartAgain("capture"), StartAgain("capture-1")]


def test_a_source_that_is_refused_before_a_frame_is_in_the_outputs_refuses_the_run():
    supervision = Supervision(list(TWO), 0.0)
    supervision.step(StageMessage("capture", Ready()), 0.1)
    supervision.step(Exited("capture-1", 2, "yard.txt is no video."), 0.2)
    assert (supervision.status, supervision.sentence) == (2, "yard.txt is no video.")


def test_a_source_is_added_when_it_has_been_opened():
    supervision = two_sources_under_way()
    assert supervision.step(SourceAdded(THIRD), 1.0) == []
    assert supervision.step(StageMessage("capture-2", StageHeartbeat()), 1.1) == []
    assert supervision.step(StageMessage("capture-2", Ready()), 1.2) == [SourceIsThere("capture-2")]
    assert supervision.step(Exited("capture", 0), 2.0) == supervision.step(Exited("capture-1", 0), 2.0) == []
    assert supervision.step(Exited("capture-2", 0), 3.0) == [TellStop("render"), TellStop("gender")]


def test_a_camera_that_is_away_is_added_as_soon_as_it_is_waited_for():
    supervision = two_sources_under_way()
    supervision.step(SourceAdded(THIRD), 1.0)
    away = StageMessage("capture-2", Say("no /dev/video3 yet; waiting 60 s for it"))
    assert supervision.step(away, 1.2) == [SourceIsThere("capture-2", is_away=True)]


def test_an_added_source_that_is_refused_changes_nothing():
    supervision = two_sources_under_way()
    supervision.step(SourceAdded(THIRD), 1.0)
    refused = Exited("capture-2", 2, "notes.txt is no video.")
    assert supervision.step(refused, 1.2) == [SourceEnded("capture-2", "notes.txt is no video.", was_refused=True)]
    assert (supervision.phase, supervision.failed, supervision.status) == (Phase.RUNNING, {}, 0)


def test_a_removed_source_finishes_what_it_has_read_and_is_not_started_again():
    supervision = two_sources_under_way()
    assert supervision.step(SourceRemoved("capture-1"), 1.0) == [TellStop("capture-1")]
    assert supervision.step(Exited("capture-1", 0), 1.5) == [SourceEnded("capture-1")]
    assert tick_until(supervision, 1.5, 3.0, beating=LABELS) == []


def test_a_removed_source_that_dies_before_it_has_finished_is_not_complete():
    supervision = two_sources_under_way()
    supervision.step(SourceRemoved("capture-1"), 1.0)
    assert supervision.step(Exited("capture-1", -9), 1.5) == [SourceEnded("capture-1", is_complete=False)]
    assert tick_until(supervision, 1.5, 3.0, beating=LABELS) == []


def test_a_removed_source_is_killed_when_it_has_finished_nothing_for_ten_seconds():
    supervision = two_sources_under_way()
    supervision.step(SourceRemoved("capture-1"), 0.1)
    done = tick_until(supervision, 0.1, 9.0, beating=[*LABELS, "capture-1"])
    done += supervision.step(StageMessage("capture-1", StageHeartbeat(finished=4)), 9.0)
    done += tick_until(supervision, 9.0, 25.0, beating=[*LABELS, "capture-1"])
    assert done == [(19.0, Kill("capture-1"))]


def test_a_source_that_has_failed_and_is_removed_is_no_failure_of_the_run():
    supervision = two_sources_under_way()
    supervision.step(Exited("capture-1", 1, "yard is away."), 1.0)
    assert supervision.step(SourceRemoved("capture-1"), 2.0) == [SourceEnded("capture-1")]
    supervision.step(Exited("capture", 0), 3.0)
    assert (supervision.status, supervision.sentence) == (0, None)

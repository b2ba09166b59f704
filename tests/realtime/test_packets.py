"""A key's sessions share one allowance of events a second."""

from realtime.packets import PacketMeters


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_a_second_holds_exactly_the_allowance_over_all_sessions_of_a_key():
    clock = Clock()
    meters = PacketMeters(clock)
    one, other = meters.of("web", 1000), meters.of("web", 1000)
    assert one is other
    assert all(one.take() == 0 for _ in range(1000))
    assert other.take() > 0


def test_another_key_is_not_slowed_down():
    meters = PacketMeters(Clock())
    busy = meters.of("web", 10)
    waits = [busy.take() for _ in range(20)]
    assert any(waits)
    assert meters.of("phone", 10).take() == 0


def test_the_allowance_refills_with_time():
    clock = Clock()
    meter = PacketMeters(clock).of("web", 100)
    for _ in range(100):
        meter.take()
    assert meter.take() > 0
    clock.now_s += 0.5
    assert [meter.take() for _ in range(49)] == [0.0] * 49
    assert meter.take() > 0


def test_the_wait_is_never_long_enough_to_look_like_a_hang():
    meter = PacketMeters(Clock()).of("web", 1)
    assert max(meter.take() for _ in range(1000)) <= 1.0


def test_a_new_rate_holds_for_the_sessions_that_begin_after_it():
    meters = PacketMeters(Clock())
    before = meters.of("web", 10)
    assert meters.of("web", 20) is not before
    assert (before.rate, meters.of("web", 20).rate) == (10, 20)

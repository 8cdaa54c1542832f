//! Arithmetic on dates as Go does it (`time/time.go`), with 64 bits that wrap around: only so do
//! outrageous numbers of years end where they do in OPA.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::operand::Moment;

const SECONDS_OF_DAY: i64 = 24 * 60 * 60;
/// Go counts from March of this year before year 0; a multiple of the calendar's 400 years.
const YEARS_BEFORE_ZERO: i64 = 292_277_022_400;
/// Days of 400 years.
const DAYS_OF_CYCLE: i64 = 146_097;
/// Days from March of [`YEARS_BEFORE_ZERO`] to 1970.
const DAYS_TO_1970: i64 = YEARS_BEFORE_ZERO / 400 * DAYS_OF_CYCLE + 719_468;

/// Nanoseconds since 1970; `None` far outside of what they can hold.
pub(super) fn add_date(moment: &Moment, years: i64, months: i64, days: i64) -> Option<i128> {
    let civil = moment.civil();
    let months = i64::from(civil.month() - 1).wrapping_add(months);
    let year = i64::from(civil.year())
        .wrapping_add(years)
        .wrapping_add(months.div_euclid(12));
    let day = i64::from(civil.day()).wrapping_add(days);
    let clock = [(civil.hour(), 3600), (civil.minute(), 60), (civil.second(), 1)];
    let clock: i64 = clock.map(|(count, unit)| i64::from(count) * unit).iter().sum();
    let wall = days_since_1970(year, months.rem_euclid(12) + 1, day)
        .wrapping_mul(SECONDS_OF_DAY)
        .wrapping_add(clock);
    let offset_at = |seconds: i64| {
        let instant = Timestamp::from_second(seconds).ok()?;
        Some(i64::from(moment.zone.to_offset(instant).seconds()))
    };
    // As Go: the offset at the wall time taken for UTC leads to an instant, whose offset counts.
    let guess = wall.checked_sub(offset_at(wall)?)?;
    let seconds = wall.checked_sub(offset_at(guess)?)?;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(civil.subsec_nanosecond()))
}

/// Days of the Gregorian calendar; a day beyond the month runs over. Go's `dateToAbsDays`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let before_march = i64::from(month < 3);
    let month = month + 12 * before_march;
    let year = year.wrapping_sub(before_march).wrapping_add(YEARS_BEFORE_ZERO);
    let (century, year) = (year.cast_unsigned() / 100, year.cast_unsigned() % 100);
    let days_of_centuries = (century.wrapping_mul(DAYS_OF_CYCLE.cast_unsigned()) / 4).cast_signed();
    let days_of_years = (1461 * year / 4).cast_signed();
    let days_of_months = (979 * month - 2919) >> 5;
    days_of_centuries
        .wrapping_add(days_of_years + days_of_months)
        .wrapping_add(day.wrapping_sub(1))
        .wrapping_sub(DAYS_TO_1970)
}

/// Years, months, days, hours, minutes and seconds from one civil time to a later one. A month has the
/// days of the month that it starts in.
pub(super) fn between(start: DateTime, end: DateTime) -> [i64; 6] {
    let [mut years, mut months, mut days, mut hours, mut minutes, mut seconds] = [
        i64::from(end.year() - start.year()),
        i64::from(end.month() - start.month()),
        i64::from(end.day() - start.day()),
        i64::from(end.hour() - start.hour()),
        i64::from(end.minute() - start.minute()),
        i64::from(end.second() - start.second()),
    ];
    let borrow = |value: &mut i64, from: &mut i64, unit: i64| {
        if *value < 0 {
            *value += unit;
            *from -= 1;
        }
    };
    borrow(&mut seconds, &mut minutes, 60);
    borrow(&mut minutes, &mut hours, 60);
    borrow(&mut hours, &mut days, 24);
    borrow(&mut days, &mut months, start.date().days_in_month().into());
    borrow(&mut months, &mut years, 12);
    [years, months, days, hours, minutes, seconds]
}

//! The little that we read of certificates ourselves: what rustls does not give.
//!
//! RFC 5280, section 4.1: a certificate is a sequence that begins with the sequence of the version
//! (optional, tagged 0), the serial number, the algorithm, the issuer, the validity, the subject.

/// Does the certificate name itself as its issuer? `None` if it can't be read.
pub(super) fn is_self_signed(certificate: &[u8]) -> Option<bool> {
    let (issuer, fields) = from_issuer(certificate)?;
    let (_tag, _validity, fields) = element(fields)?;
    let (_tag, subject, _) = element(fields)?;
    Some(issuer == subject)
}

/// The first and the last second of the certificate's time, counted from 1970. `None` if it can't be read.
pub(super) fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let (_issuer, fields) = from_issuer(certificate)?;
    let (_tag, validity, _) = element(fields)?;
    let (tag, from, validity) = element(validity)?;
    let from = time(tag, from)?;
    let (tag, to, _) = element(validity)?;
    Some((from, time(tag, to)?))
}

/// The issuer, and the fields behind it.
fn from_issuer(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, outer, _) = element(certificate)?;
    let (_tag, mut fields, _) = element(outer)?;
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    let (_tag, _serial, fields) = element(fields)?;
    let (_tag, _algorithm, fields) = element(fields)?;
    let (_tag, issuer, fields) = element(fields)?;
    Some((issuer, fields))
}

/// Splits the first element off, and returns its tag, its content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The seconds from 1970 to a time in one of the two forms of RFC 5280, section 4.1.2.5.
///
/// A time before 1970 counts as 1970: for what is asked here that is the same.
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year), rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|i| number(&rest[i..i + 2]));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let Some(days) = days(year, month, day) else { return Some(0) };
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// The days from 1970 to a day in the Gregorian calendar. `None` if it is before 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years that begin in March have the leap day at their end.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1;
    /// From the first of March of the year 0.
    const TO_1970: u64 = 719_468;
    days.checked_sub(TO_1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        for (tag, text, expected) in [
            (0x17, "700101000000Z", 0),
            (0x17, "491231235959Z", 2_524_607_999),
            (0x17, "500101000000Z", 0),
            (0x17, "000229120000Z", 951_825_600),
            (0x18, "20240229235959Z", 1_709_251_199),
            (0x18, "99991231235959Z", 253_402_300_799),
            (0x18, "00000101000000Z", 0),
        ] {
            assert_eq!(time(tag, text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (tag, text) in [
            (0x17, ""),
            (0x17, "Z"),
            (0x17, "7001010000Z"),
            (0x17, "700101000000"),
            (0x17, "70010100000xZ"),
            (0x17, "701301000000Z"),
            (0x17, "700100000000Z"),
            (0x18, "700101000000Z"),
            (0x04, "700101000000Z"),
        ] {
            assert_eq!(time(tag, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for bytes in [&b""[..], b"\x30", b"\x30\x03\x30\x01", b"\x30\x85\x01\x01\x01\x01\x01"] {
            assert_eq!((is_self_signed(bytes), validity(bytes)), (None, None));
        }
    }
}

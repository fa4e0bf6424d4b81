//! Decimal numbers in names.

/// Appends a number with at least so many digits.
pub(super) fn push_number(mut number: u64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut first = buffer.len();
    while number > 0 || buffer.len() - first < digits {
        first -= 1;
        buffer[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&buffer[first..]);
}

/// A number of digits only.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, &digit| {
        let value = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(value)
    })
}

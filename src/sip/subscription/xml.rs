//! Text as it may stand in an XML document.

use std::fmt::{self, Write as _};

/// Text for an element or a quoted attribute: marked-up, without what XML 1.0 §2.2 forbids.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                '\0'..='\x1f' | '\x7f' | '\u{fffe}' | '\u{ffff}' => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_an_attribute() {
        assert_eq!(
            Text("<\"a'&b\">\u{0}王芳").to_string(),
            "&lt;&quot;a&apos;&amp;b&quot;&gt; 王芳"
        );
    }
}

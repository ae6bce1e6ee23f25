//! Elements of HTML and SVG as text. An element is always closed, and text is always escaped.

/// `<name attributes>content</name>`. The content is markup already.
pub(super) fn element(name: &str, attributes: &str, content: &str) -> String {
    let space = if attributes.is_empty() { "" } else { " " };
    format!("<{name}{space}{attributes}>{content}</{name}>")
}

/// An element with text in it.
pub(super) fn text(name: &str, attributes: &str, content: &str) -> String {
    element(name, attributes, &escape(content))
}

/// A row of a table from the markup of its cells.
pub(super) fn row(cells: &[String]) -> String {
    element("tr", "", &cells.concat())
}

/// The headings of columns; the first is that of text, the others are of numbers.
pub(super) fn headings<Name: AsRef<str>>(names: &[Name]) -> String {
    let heading = |name: &Name| text("th", "scope=\"col\"", name.as_ref());
    let cells: Vec<String> = names.iter().map(heading).collect();
    element("thead", "", &row(&cells))
}

/// A table that scrolls by itself where the page is narrow.
pub(super) fn table(class: &str, name: &str, content: &str) -> String {
    let table = element("table", &format!("class=\"{class}\""), content);
    let label = escape(name);
    let attributes =
        format!("class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\"");
    element("div", &attributes, &table)
}

/// Text as markup: nothing in it begins a tag, ends an attribute or names a character.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_text() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("a b", "a b");
        check("<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;");
        check("&amp;", "&amp;amp;");
        assert_eq!(text("p", "", "a<b"), "<p>a&lt;b</p>");
    }
}

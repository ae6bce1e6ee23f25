//! Hashed URLs in templates: what `{% static "app.css" %}` is in Django, for minijinja, tera and
//! askama.
//!
//! ```text
//! cargo run --example templates
//! ```
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use whitering::Manifest;

/// The URLs below one prefix.
#[derive(Clone)]
struct Static(Arc<Manifest>);

impl Static {
    fn url(&self, name: &str) -> Result<String, whitering::staticfiles::UrlError> {
        self.0.url("/static/", name)
    }
}

#[derive(Template)]
#[template(source = r#"{{ files.url("app.css")? }}"#, ext = "txt")]
struct Page {
    files: Static,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Of a release: Manifest::open("public".as_ref())
    let text = br#"{"paths": {"app.css": "app.6d0ea5f66de1.css"}, "version": "1.1"}"#;
    let files = Static(Arc::new(Manifest::parse(text)?));

    let mut environment = minijinja::Environment::new();
    let of_minijinja = files.clone();
    environment.add_function("static", move |name: &str| {
        let error = |error| {
            let kind = minijinja::ErrorKind::InvalidOperation;
            minijinja::Error::new(kind, "no such file").with_source(error)
        };
        of_minijinja.url(name).map_err(error)
    });
    let text = environment.render_str(r#"{{ static("app.css") }}"#, ())?;
    println!("minijinja: {text}");

    let mut tera = tera::Tera::default();
    let of_tera = files.clone();
    tera.register_function("static", move |arguments: &HashMap<String, tera::Value>| {
        let name = arguments.get("name").and_then(tera::Value::as_str);
        let url = of_tera.url(name.ok_or("static needs a name")?);
        url.map(tera::Value::String).map_err(tera::Error::msg)
    });
    let text = tera.render_str(r#"{{ static(name="app.css") }}"#, &tera::Context::new())?;
    println!("tera: {text}");

    println!("askama: {}", Page { files }.render()?);
    Ok(())
}

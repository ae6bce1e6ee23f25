//! What a run says: a table for the terminal, one in Markdown for the README, and a page that
//! opens offline. All derive from [`Run`] through `figures`; nothing here measures.

mod figures;
mod html;
mod markdown;
mod number;
mod standings;
mod table;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use html::page;
pub(crate) use markdown::markdown;
pub(crate) use table::table;

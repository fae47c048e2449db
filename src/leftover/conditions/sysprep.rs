//! Whether Windows was generalised: `ImageState` of `State.ini` (Windows Setup States).

use super::{Condition, Found, Kind, Whole, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::system::Os;
use crate::leftover::text::decode;
use crate::leftover::tree::Spot;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "sysprep", cases: &["broken"], build: |table| Ok(Box::new(parameters::<Sysprep>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sysprep {}

/// States of an image that Sysprep has generalised and that has not been started since.
pub(super) const GENERALISED: [&str; 2] =
    ["IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", "IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT"];

impl Condition for Sysprep {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let text = decode(&hit.content()?.bytes).into_owned();
        let state = image_state(&text);
        if state.is_some_and(|state| GENERALISED.contains(&state)) {
            return Ok(());
        }
        let is_broken = state.is_some_and(|state| state.contains("UNDEPLOYABLE"));
        let shown_state = state.map_or_else(|| "not given".to_owned(), |state| shown(state.as_bytes()));
        out.push(Found {
            case: is_broken.then_some("broken"),
            evidence: vec![format!("ImageState: {shown_state}")],
            ..Found::default()
        });
        Ok(())
    }

    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        if whole.system.os == Some(Os::Windows) && whole.hits == 0 {
            let evidence = vec!["ImageState: no State.ini".to_owned()];
            out.push((None, Found { evidence, ..Found::default() }));
        }
        Ok(())
    }
}

/// Value of `ImageState` in the section `[State]`.
fn image_state(text: &str) -> Option<&str> {
    let mut in_section = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_section = line.eq_ignore_ascii_case("[State]");
        } else if let Some((key, value)) = line.split_once('=')
            && in_section
            && key.trim().eq_ignore_ascii_case("ImageState")
        {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_from_its_section() {
        assert_eq!(
            image_state("[State]\r\nImageState=IMAGE_STATE_COMPLETE\r\n"),
            Some("IMAGE_STATE_COMPLETE")
        );
        assert_eq!(image_state("[Other]\nImageState=X\n"), None);
    }
}

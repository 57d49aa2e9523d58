//! Objects of which some members are wanted.

/// An object whose members are kept as they came; those that have no place here are passed over. Of a member given twice the
/// last counts, and `null` counts as not given.
macro_rules! object {
    ($(#[$doc:meta])* $vis:vis $name:ident { $($(#[$about:meta])* $field:ident $(= $key:literal)?,)* }
     $(within { $($(#[$inner_about:meta])* $inner:ident: $kind:ident $(= $inner_key:literal)?,)* })?) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name<'a> {
            $($(#[$about])* $vis $field: Option<$crate::scan::Raw<'a>>,)*
            $($($(#[$inner_about])* $vis $inner: Option<$kind<'a>>,)*)?
        }

        impl<'a> $name<'a> {
            fn read(cursor: &mut $crate::scan::Cursor<'a>) -> Result<Self, $crate::scan::Bad> {
                let mut object = Self::default();
                cursor.members(|cursor, key| {
                    match key.escaped() {
                        $($crate::scan::object!(@key $field $($key)?) => object.$field = cursor.present()?,)*
                        $($($crate::scan::object!(@key $inner $($inner_key)?) => object.$inner = cursor.unless_null($kind::read)?,)*)?
                        _ => _ = cursor.value()?,
                    }
                    Ok::<(), $crate::scan::Bad>(())
                })?;
                Ok(object)
            }

            /// Reads a text that is the object and nothing else.
            #[allow(dead_code, reason = "some stand inside others only")]
            $vis fn parse(text: &'a str) -> Result<Self, $crate::scan::Bad> {
                let mut cursor = $crate::scan::Cursor::new(text);
                let object = Self::read(&mut cursor)?;
                cursor.end()?;
                Ok(object)
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}

pub(crate) use object;

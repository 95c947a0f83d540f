//! The one list of facts per kind of file: the struct, its reader, its JSON and its schema come from it.

/// What importers do with all facts of a kind of file.
pub(crate) trait FactSet: Sized {
    /// Fact by fact what most of `all` say; nothing where no value has most.
    fn majority(all: &[Self]) -> Self;
    /// Takes what another source says, by the rules of [`crate::import`].
    fn take(&mut self, other: Self, counts: &mut crate::import::Counts);
}

/// Declares a struct of optional claims. Each line is `field: type = reader`, the reader being one of [`crate::kind`].
macro_rules! facts {
    ($(#[$meta:meta])* $name:ident { $( $(#[$doc:meta])* $field:ident: $type:ty = $kind:ident, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $name { $( $(#[$doc])* pub $field: Option<$crate::Claim<$type>>, )* }

        impl $name {
            pub(crate) fn read(
                table: &mut $crate::document::Table<'_>,
                page: &mut $crate::document::Page<'_>,
            ) -> $name {
                $name { $( $field: table.claim(page, stringify!($field), $crate::kind::$kind.read), )* }
            }

            /// Every fact that is known, under its name, with its provenance.
            pub(crate) fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut map = serde_json::Map::new();
                $( if let Some(claim) = &self.$field {
                    map.insert(stringify!($field).to_owned(), $crate::export::claim_json(claim));
                } )*
                map
            }

            pub(crate) fn schema() -> serde_json::Map<String, serde_json::Value> {
                let mut map = serde_json::Map::new();
                $( map.insert(
                    stringify!($field).to_owned(),
                    $crate::export::schema::claim(($crate::kind::$kind.schema)()),
                ); )*
                map
            }

            /// Every fact that there could be, under its name, with what is stated of it.
            pub(crate) fn each<'c>(
                &'c self,
                with: &mut dyn FnMut(&'static str, Option<&'c dyn $crate::review::Stated>),
            ) {
                $( with(
                    stringify!($field),
                    self.$field.as_ref().map(|claim| claim as &dyn $crate::review::Stated),
                ); )*
            }

            /// How many facts have dissent.
            pub(crate) fn disputed(&self) -> usize {
                let flags = [$( self.$field.as_ref().is_some_and(|claim| !claim.dissent.is_empty()), )*];
                flags.into_iter().filter(|flag| *flag).count()
            }
        }

        impl $crate::facts::FactSet for $name {
            fn majority(all: &[$name]) -> $name {
                $name { $(
                    $field: $crate::import::majority(all.iter().filter_map(|facts| facts.$field.as_ref())),
                )* }
            }

            fn take(&mut self, other: $name, counts: &mut $crate::import::Counts) {
                $( $crate::import::take_claim(&mut self.$field, other.$field, counts); )*
            }
        }
    };
}

pub(crate) use facts;

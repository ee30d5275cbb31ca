//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-C_djbXBR.js",
        content_type: "text/javascript",
        tag: "\"943938f52ae343b7\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/Chart-CnsZ1jie.css",
        content_type: "text/css",
        tag: "\"0fd9465202f6dfce\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.css.gz"),
    },
    File {
        path: "assets/JobGraph-DTEVx0HM.js",
        content_type: "text/javascript",
        tag: "\"facd3ae5f22a0a28\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-BpCVtcUx.js",
        content_type: "text/javascript",
        tag: "\"95a6e5eb4dcad73c\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-bDWJ7Bh6.css",
        content_type: "text/css",
        tag: "\"ca77ece667266aad\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/main-B03oTl5X.js",
        content_type: "text/javascript",
        tag: "\"52c41aa6e6470970\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/units-xgpkycne.js",
        content_type: "text/javascript",
        tag: "\"c8fc1c684ef92181\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"10ae54af2bdee00e\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];

//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-C9gmrsI_.js",
        content_type: "text/javascript",
        tag: "\"d5afebeae77edda0\"",
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
        path: "assets/JobGraph-CIpUWDgP.js",
        content_type: "text/javascript",
        tag: "\"43eff6afaaf082e0\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/JobGraph-CeJeskZg.css",
        content_type: "text/css",
        tag: "\"6b6d5995217cb05d\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.css.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-Dwit5xUL.css",
        content_type: "text/css",
        tag: "\"b0618519c45ff066\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-Iy4gdeat.js",
        content_type: "text/javascript",
        tag: "\"f1d014eba106c5b0\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"699b06b18fe7c77e\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];

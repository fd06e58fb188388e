"""The works that the methods of a group's tables come from, as they are cited."""

from collections.abc import Mapping
from dataclasses import dataclass

from .. import __version__
from ..kinetics.models import MODELS


@dataclass(frozen=True)
class Source:
    """A work that a method comes from. key: of its BibTeX entry."""

    key: str
    authors: str
    year: int
    title: str
    journal: str
    doi: str

    @property
    def bibtex(self) -> str:
        kind = "article" if self.journal else "misc"
        fields = {"author": self.authors, "year": str(self.year), "title": f"{{{self.title}}}"}
        fields |= {"journal": self.journal, "doi": self.doi}
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{kind}{{{self.key},\n{body}\n}}"


SOURCES: Mapping[str, Source] = {
    source.key: source
    for source in (
        Source("tspoquant", "{The TSPOQuant contributors}", 2026, f"TSPOQuant {__version__}", "", ""),
        Source(
            "lutkeschipholt2025",
            "Lutke Schipholt, I. J. and others",
            2025,
            "Quantification of neuroinflammation in spinal cord and neuroforamina of patients with painful cervical "
            "radiculopathy using [11C]DPA713 PET/CT",
            "Frontiers in Nuclear Medicine",
            "10.3389/fnume.2025.1569991",
        ),
        Source(
            "innis2007",
            "Innis, R. B. and others",
            2007,
            "Consensus nomenclature for in vivo imaging of reversibly binding radioligands",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/sj.jcbfm.9600493",
        ),
        Source(
            "logan1990",
            "Logan, J. and others",
            1990,
            "Graphical analysis of reversible radioligand binding from time-activity measurements applied to "
            "[N-11C-methyl]-(-)-cocaine PET studies in human subjects",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.1990.127",
        ),
        Source(
            "ichise2002",
            "Ichise, M. and others",
            2002,
            "Strategies to improve neuroreceptor parameter estimation by linear regression analysis",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1097/01.WCB.0000038000.34930.4E",
        ),
        Source(
            "patlak1983",
            "Patlak, C. S. and others",
            1983,
            "Graphical evaluation of blood-to-brain transfer constants from multiple-time uptake data",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.1983.1",
        ),
        Source(
            "rizzo2014",
            "Rizzo, G. and others",
            2014,
            "Kinetic modeling without accounting for the vascular component impairs the quantification of [11C]PBR28 "
            "brain PET data",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.2014.55",
        ),
        Source(
            "qiba2015",
            "Raunig, D. L. and others",
            2015,
            "Quantitative imaging biomarkers: a review of statistical methods for technical performance assessment",
            "Statistical Methods in Medical Research",
            "10.1177/0962280214537344",
        ),
        Source(
            "shrout1979",
            "Shrout, P. E. and Fleiss, J. L.",
            1979,
            "Intraclass correlations: uses in assessing rater reliability",
            "Psychological Bulletin",
            "10.1037/0033-2909.86.2.420",
        ),
        Source(
            "carkeet2015",
            "Carkeet, A.",
            2015,
            "Exact parametric confidence intervals for Bland-Altman limits of agreement",
            "Optometry and Vision Science",
            "10.1097/OPX.0000000000000513",
        ),
        Source(
            "mancl2001",
            "Mancl, L. A. and DeRouen, T. A.",
            2001,
            "A covariance estimator for GEE with improved small-sample properties",
            "Biometrics",
            "10.1111/j.0006-341X.2001.00126.x",
        ),
        Source(
            "welch1947",
            "Welch, B. L.",
            1947,
            "The generalization of 'Student's' problem when several different population variances are involved",
            "Biometrika",
            "10.1093/biomet/34.1-2.28",
        ),
        Source(
            "bonett2000",
            "Bonett, D. G. and Wright, T. A.",
            2000,
            "Sample size requirements for estimating Pearson, Kendall and Spearman correlations",
            "Psychometrika",
            "10.1007/BF02294183",
        ),
    )
}


def source_of(model: str) -> str:
    """Key of the work that a model's equations come from; "" for one that is not among ``SOURCES``."""
    doi = MODELS[model].source.split(", ")[-1]
    return next((key for key, source in SOURCES.items() if source.doi == doi), "")

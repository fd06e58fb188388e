<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="fr_FR">
    <context>
        <name>TSPOQuant</name>
        <message>
            <source>This software has not been approved for the care of patients.</source>
            <translation>Ce logiciel n’est pas approuvé pour le soin des patients.</translation>
        </message>
        <message>
            <source>For research use only. Not a medical device.</source>
            <translation>Recherche uniquement. Pas un dispositif médical.</translation>
        </message>
        <message>
            <source>The visit whose choices and results the sections show.</source>
            <translation>La visite dont les sections montrent les choix et les résultats.</translation>
        </message>
        <message>
            <source>Visit:</source>
            <translation>Visite :</translation>
        </message>
        <message>
            <source>Who was scanned, where, and the images of this visit.</source>
            <translation>Qui a été examiné, où, et les images de cette visite.</translation>
        </message>
        <message>
            <source>Study</source>
            <translation>Étude</translation>
        </message>
        <message>
            <source>Label of the subject in all results: letters and digits. Never a name.</source>
            <translation>Code du sujet dans tous les résultats : lettres et chiffres. Jamais un nom.</translation>
        </message>
        <message>
            <source>Subject:</source>
            <translation>Sujet :</translation>
        </message>
        <message>
            <source>The foramen that the study is about: its template, its unaffected counterpart and the report follow from it.</source>
            <translation>Le foramen étudié : le modèle de régions, le foramen de comparaison et le rapport en découlent.</translation>
        </message>
        <message>
            <source>Affected foramen:</source>
            <translation>Foramen atteint :</translation>
        </message>
        <message>
            <source>Genotype of rs6971, on which the binding of most TSPO tracers depends. It changes no number; low-affinity and unknown are warned of.</source>
            <translation>Génotype de rs6971, dont dépend la liaison de la plupart des traceurs TSPO. Il ne change aucun nombre ; un avertissement signale une faible affinité ou un génotype inconnu.</translation>
        </message>
        <message>
            <source>Genotype:</source>
            <translation>Génotype :</translation>
        </message>
        <message>
            <source>Dynamic PET: a sequence of volumes, one a frame, with frame times, units and time zero.</source>
            <translation>TEP dynamique : une séquence de volumes, un par trame, avec les temps des trames, les unités et le temps zéro.</translation>
        </message>
        <message>
            <source>PET sequence:</source>
            <translation>Séquence TEP :</translation>
        </message>
        <message>
            <source>CT or MR of the same visit, on which the regions are drawn. Used for fusion and, if a CT, for tissue boundaries; may be left out.</source>
            <translation>TDM ou IRM de la même visite, sur laquelle les régions sont tracées. Sert à la fusion et, si c’est une TDM, aux limites des tissus ; facultative.</translation>
        </message>
        <message>
            <source>CT or MR:</source>
            <translation>TDM ou IRM :</translation>
        </message>
        <message>
            <source>Injected activity, decay-corrected to the injection. 0 takes what the images say; a ratio to SUV needs it.</source>
            <translation>Activité injectée, corrigée de la décroissance au moment de l’injection. 0 reprend ce que disent les images ; nécessaire au SUV.</translation>
        </message>
        <message>
            <source>Injected activity:</source>
            <translation>Activité injectée :</translation>
        </message>
        <message>
            <source> MBq</source>
            <translation> MBq</translation>
        </message>
        <message>
            <source>as in the images</source>
            <translation>selon les images</translation>
        </message>
        <message>
            <source>Body weight at this visit. 0 takes what the images say; a ratio to SUV needs it.</source>
            <translation>Poids corporel lors de cette visite. 0 reprend ce que disent les images ; nécessaire au SUV.</translation>
        </message>
        <message>
            <source>Weight:</source>
            <translation>Poids :</translation>
        </message>
        <message>
            <source> kg</source>
            <translation> kg</translation>
        </message>
        <message>
            <source>What was taken before this visit that may change TSPO: benzodiazepines, corticosteroids, NSAIDs, statins. Goes to the report as it is.</source>
            <translation>Ce qui a été pris avant cette visite et peut modifier la TSPO : benzodiazépines, corticoïdes, AINS, statines. Repris tel quel dans le rapport.</translation>
        </message>
        <message>
            <source>Wash-out:</source>
            <translation>Sevrage :</translation>
        </message>
        <message>
            <source>What the PET sequence says of itself.</source>
            <translation>Ce que la séquence TEP dit d’elle-même.</translation>
        </message>
        <message>
            <source>Label of a further visit: letters and digits.</source>
            <translation>Code d’une visite supplémentaire : lettres et chiffres.</translation>
        </message>
        <message>
            <source>Another visit:</source>
            <translation>Autre visite :</translation>
        </message>
        <message>
            <source>week12</source>
            <translation>semaine12</translation>
        </message>
        <message>
            <source>Add a visit under that label, and show it.</source>
            <translation>Ajoute une visite sous ce code et l’affiche.</translation>
        </message>
        <message>
            <source>Add</source>
            <translation>Ajouter</translation>
        </message>
        <message>
            <source>Forget the choices and results of the visit that is shown; its images and regions stay.</source>
            <translation>Oublie les choix et les résultats de la visite affichée ; ses images et ses régions restent.</translation>
        </message>
        <message>
            <source>Remove</source>
            <translation>Retirer</translation>
        </message>
        <message>
            <source>PET over anatomy, and the motion between frames.</source>
            <translation>TEP sur anatomie, et mouvement entre les trames.</translation>
        </message>
        <message>
            <source>Fusion</source>
            <translation>Fusion</translation>
        </message>
        <message>
            <source>Bring the frames in register with each other and with the CT or MR, as rigid bodies, or take all images as they lie.</source>
            <translation>Recale les trames entre elles et sur la TDM ou l’IRM, comme des corps rigides, ou prend toutes les images telles quelles.</translation>
        </message>
        <message>
            <source>Motion:</source>
            <translation>Mouvement :</translation>
        </message>
        <message>
            <source>Register the frames to each other and the PET to the CT or MR.</source>
            <translation>Recale les trames entre elles et la TEP sur la TDM ou l’IRM.</translation>
        </message>
        <message>
            <source>Align</source>
            <translation>Recaler</translation>
        </message>
        <message>
            <source>Plot how far the body moved, frame by frame.</source>
            <translation>Trace le déplacement du corps, trame par trame.</translation>
        </message>
        <message>
            <source>Plot motion</source>
            <translation>Tracer le mouvement</translation>
        </message>
        <message>
            <source>Show the PET over the CT or MR in the slice views.</source>
            <translation>Affiche la TEP sur la TDM ou l’IRM dans les vues en coupe.</translation>
        </message>
        <message>
            <source>PET over anatomy</source>
            <translation>TEP sur anatomie</translation>
        </message>
        <message>
            <source>Show the CT or MR beside the PET at the same places, for judging their alignment.</source>
            <translation>Affiche la TDM ou l’IRM à côté de la TEP aux mêmes endroits, pour juger de leur recalage.</translation>
        </message>
        <message>
            <source>Side by side</source>
            <translation>Côte à côte</translation>
        </message>
        <message>
            <source>Take the PET away, or bring it back.</source>
            <translation>Masque la TEP, ou la rétablit.</translation>
        </message>
        <message>
            <source>Blink</source>
            <translation>Alterner</translation>
        </message>
        <message>
            <source>How much of the PET shows over the CT or MR.</source>
            <translation>Part de la TEP visible sur la TDM ou l’IRM.</translation>
        </message>
        <message>
            <source>PET opacity:</source>
            <translation>Opacité TEP :</translation>
        </message>
        <message>
            <source>Move all slice views to the middle of a region, oblique along a foramen.</source>
            <translation>Amène toutes les vues en coupe au milieu d’une région, obliques le long d’un foramen.</translation>
        </message>
        <message>
            <source>Go to:</source>
            <translation>Aller à :</translation>
        </message>
        <message>
            <source>What alignment found.</source>
            <translation>Ce que le recalage a trouvé.</translation>
        </message>
        <message>
            <source>Foramina, cord and blood pool, drawn on the CT or MR.</source>
            <translation>Foramens, moelle et compartiment sanguin, tracés sur la TDM ou l’IRM.</translation>
        </message>
        <message>
            <source>Regions</source>
            <translation>Régions</translation>
        </message>
        <message>
            <source>Segmentation with the regions to quantify and the blood pool. Any segment is quantified, and segments may overlap.</source>
            <translation>Segmentation contenant les régions à quantifier et le compartiment sanguin. Tout segment est quantifié ; les segments peuvent se chevaucher.</translation>
        </message>
        <message>
            <source>Segmentation:</source>
            <translation>Segmentation :</translation>
        </message>
        <message>
            <source>Add empty segments for the affected foramen, its other side, three levels above, the cord and the blood pool.</source>
            <translation>Ajoute des segments vides pour le foramen atteint, son côté opposé, trois niveaux au-dessus, la moelle et le compartiment sanguin.</translation>
        </message>
        <message>
            <source>Add template</source>
            <translation>Ajouter le modèle</translation>
        </message>
        <message>
            <source>Propose the carotid arteries, below the neck the aorta, from the early frames; look at them before they are used.</source>
            <translation>Propose les carotides, sous le cou l’aorte, d’après les premières trames ; à vérifier avant usage.</translation>
        </message>
        <message>
            <source>Propose blood pool</source>
            <translation>Proposer le sang</translation>
        </message>
        <message>
            <source>Segmentation with vertebrae, such as TotalSegmentator makes, from which foramina are proposed.</source>
            <translation>Segmentation des vertèbres, telle que la produit TotalSegmentator, d’après laquelle les foramens sont proposés.</translation>
        </message>
        <message>
            <source>Vertebrae:</source>
            <translation>Vertèbres :</translation>
        </message>
        <message>
            <source>Propose every foramen that the vertebrae and the CT or MR show; look at each before it is used.</source>
            <translation>Propose chaque foramen que montrent les vertèbres et la TDM ou l’IRM ; à vérifier un par un avant usage.</translation>
        </message>
        <message>
            <source>Propose foramina</source>
            <translation>Proposer les foramens</translation>
        </message>
        <message>
            <source>Bring the regions of the first visit to where they lie in this visit's CT or MR; look at each before it is used.</source>
            <translation>Amène les régions de la première visite là où elles se trouvent dans la TDM ou l’IRM de celle-ci ; à vérifier une par une avant usage.</translation>
        </message>
        <message>
            <source>Carry over</source>
            <translation>Reporter</translation>
        </message>
        <message>
            <source>Level and side of the foramen that the two points mark.</source>
            <translation>Niveau et côté du foramen que marquent les deux points.</translation>
        </message>
        <message>
            <source>Two clicks:</source>
            <translation>Deux clics :</translation>
        </message>
        <message>
            <source>Place two points on the CT or MR: first the inner mouth of the foramen, then the outer one.</source>
            <translation>Placez deux points sur la TDM ou l’IRM : d’abord l’orifice interne du foramen, puis l’externe.</translation>
        </message>
        <message>
            <source>Make a segment of published size between the two points, fitted to the bone.</source>
            <translation>Crée entre les deux points un segment de taille publiée, ajusté à l’os.</translation>
        </message>
        <message>
            <source>Make foramen</source>
            <translation>Créer le foramen</translation>
        </message>
        <message>
            <source>Slicer's Segment Editor on the segmentation and the CT or MR above.</source>
            <translation>L’éditeur de segments de Slicer, sur la segmentation et la TDM ou l’IRM ci-dessus.</translation>
        </message>
        <message>
            <source>Draw</source>
            <translation>Dessiner</translation>
        </message>
        <message>
            <source>Look for swapped sides, levels out of order, unusual sizes and overlaps.</source>
            <translation>Cherche les côtés inversés, les niveaux désordonnés, les tailles inhabituelles et les chevauchements.</translation>
        </message>
        <message>
            <source>Check regions</source>
            <translation>Vérifier les régions</translation>
        </message>
        <message>
            <source>What the check of the regions found.</source>
            <translation>Ce que la vérification des régions a trouvé.</translation>
        </message>
        <message>
            <source>What the blood brought to the tissue.</source>
            <translation>Ce que le sang a apporté au tissu.</translation>
        </message>
        <message>
            <source>Input function</source>
            <translation>Fonction d’entrée</translation>
        </message>
        <message>
            <source>What the input function is made of: the blood pool in the PET, the blood samples, or a ready curve of parent plasma in the blood file.</source>
            <translation>Ce dont la fonction d’entrée est faite : le compartiment sanguin dans la TEP, les prélèvements, ou une courbe plasmatique parente prête dans le fichier sanguin.</translation>
        </message>
        <message>
            <source>Source:</source>
            <translation>Source :</translation>
        </message>
        <message>
            <source>Segment that lies within a large vessel and holds blood only, for the image-derived input.</source>
            <translation>Segment situé dans un gros vaisseau et ne contenant que du sang, pour l’entrée dérivée de l’image.</translation>
        </message>
        <message>
            <source>Blood pool:</source>
            <translation>Pool sanguin :</translation>
        </message>
        <message>
            <source>How the image-derived curve meets the blood samples.</source>
            <translation>Comment la courbe dérivée de l’image rejoint les prélèvements.</translation>
        </message>
        <message>
            <source>Calibration:</source>
            <translation>Étalonnage :</translation>
        </message>
        <message>
            <source>Blood measurements of this visit: PET-BIDS table (_blood.tsv, _bloodproc.tsv), PMOD file or CSV.</source>
            <translation>Mesures sanguines de cette visite : table PET-BIDS (_blood.tsv, _bloodproc.tsv), fichier PMOD ou CSV.</translation>
        </message>
        <message>
            <source>Blood file:</source>
            <translation>Fichier sanguin :</translation>
        </message>
        <message>
            <source>Where the samples were drawn. A venous parent fraction is accepted with a warning.</source>
            <translation>Site de prélèvement. Une fraction parente veineuse est acceptée avec un avertissement.</translation>
        </message>
        <message>
            <source>Drawn from:</source>
            <translation>Prélevé dans :</translation>
        </message>
        <message>
            <source>Make the input function alone and plot it.</source>
            <translation>Calcule la fonction d’entrée seule et la trace.</translation>
        </message>
        <message>
            <source>Make input function</source>
            <translation>Calculer l’entrée</translation>
        </message>
        <message>
            <source>Plot whole blood, parent plasma, the samples and the parent fraction.</source>
            <translation>Trace le sang total, le plasma parent, les prélèvements et la fraction parente.</translation>
        </message>
        <message>
            <source>Plot input</source>
            <translation>Tracer l’entrée</translation>
        </message>
        <message>
            <source>What the input function rests on.</source>
            <translation>Ce sur quoi repose la fonction d’entrée.</translation>
        </message>
        <message>
            <source>How the activity in a region is explained, and what comes out.</source>
            <translation>Comment l’activité d’une région est expliquée, et ce qui en résulte.</translation>
        </message>
        <message>
            <source>Kinetics</source>
            <translation>Cinétique</translation>
        </message>
        <message>
            <source>Models to fit; the first one that is checked is the primary model, which is compared and reported.</source>
            <translation>Modèles à ajuster ; le premier coché est le modèle principal, comparé et rapporté.</translation>
        </message>
        <message>
            <source>Models:</source>
            <translation>Modèles :</translation>
        </message>
        <message>
            <source>Blood within a region: its fraction fitted in 0-0.5, fixed, or neglected.</source>
            <translation>Sang dans une région : fraction ajustée entre 0 et 0,5, fixée ou négligée.</translation>
        </message>
        <message>
            <source>Blood fraction:</source>
            <translation>Sang (V_B) :</translation>
        </message>
        <message>
            <source>Fraction of each region that is blood.</source>
            <translation>Fraction de chaque région occupée par le sang.</translation>
        </message>
        <message>
            <source>Fit the time by which the input reaches the tissue later than the blood samples say, within 30 s.</source>
            <translation>Ajuste le retard de l’arrivée au tissu par rapport aux prélèvements, dans les 30 s.</translation>
        </message>
        <message>
            <source>Delay:</source>
            <translation>Retard :</translation>
        </message>
        <message>
            <source>Fit</source>
            <translation>Ajuster</translation>
        </message>
        <message>
            <source>Correct the regions' curves for partial volume, beside the uncorrected results.</source>
            <translation>Corrige les courbes des régions du volume partiel, à côté des résultats non corrigés.</translation>
        </message>
        <message>
            <source>Partial volume:</source>
            <translation>Volume partiel :</translation>
        </message>
        <message>
            <source>Resolution of the scanner as reconstructed, full width at half maximum. Partial-volume correction needs it.</source>
            <translation>Résolution du scanner après reconstruction, largeur à mi-hauteur. Nécessaire à la correction du volume partiel.</translation>
        </message>
        <message>
            <source> mm</source>
            <translation> mm</translation>
        </message>
        <message>
            <source>not known</source>
            <translation>inconnue</translation>
        </message>
        <message>
            <source>Plot the chosen region's frames with the fits and their residuals.</source>
            <translation>Trace les trames de la région choisie avec les ajustements et leurs résidus.</translation>
        </message>
        <message>
            <source>Plot curves</source>
            <translation>Tracer les courbes</translation>
        </message>
        <message>
            <source>Plot the chosen region in the coordinates of a graphical method.</source>
            <translation>Trace la région choisie dans les coordonnées d’une méthode graphique.</translation>
        </message>
        <message>
            <source>Plot line</source>
            <translation>Tracer la droite</translation>
        </message>
        <message>
            <source>V_T (shown as Vr) of every region and model. Click a row to see its curve and to move the slice views there.</source>
            <translation>V_T (affiché Vr) de chaque région et modèle. Cliquez une ligne pour voir sa courbe et y amener les vues en coupe.</translation>
        </message>
        <message>
            <source>Which model the data of the chosen region support: differences from the best.</source>
            <translation>Quel modèle les données de la région choisie soutiennent : écarts au meilleur.</translation>
        </message>
        <message>
            <source>What the results of this visit are warned of.</source>
            <translation>Avertissements sur les résultats de cette visite.</translation>
        </message>
        <message>
            <source>Map of V_T over the body, shown over the CT or MR in all slice views.</source>
            <translation>Carte de V_T sur le corps, affichée sur la TDM ou l’IRM dans toutes les vues en coupe.</translation>
        </message>
        <message>
            <source>Map:</source>
            <translation>Carte :</translation>
        </message>
        <message>
            <source>Make map</source>
            <translation>Calculer la carte</translation>
        </message>
        <message>
            <source>All visits with results, compared and written down.</source>
            <translation>Toutes les visites calculées, comparées et consignées.</translation>
        </message>
        <message>
            <source>Change and report</source>
            <translation>Évolution et rapport</translation>
        </message>
        <message>
            <source>Scores and treatment by visit (clinical.toml); may be left out.</source>
            <translation>Scores et traitement par visite (clinical.toml) ; facultatif.</translation>
        </message>
        <message>
            <source>Clinical file:</source>
            <translation>Fichier clinique :</translation>
        </message>
        <message>
            <source>Repeatability coefficient with its source (TOML). Without one, no change is called beyond measurement error.</source>
            <translation>Coefficient de répétabilité avec sa source (TOML). Sans lui, aucun changement n’est dit supérieur à l’erreur de mesure.</translation>
        </message>
        <message>
            <source>Repeatability:</source>
            <translation>Répétabilité :</translation>
        </message>
        <message>
            <source>Check that the visits can be compared, and compare them.</source>
            <translation>Vérifie que les visites sont comparables, et les compare.</translation>
        </message>
        <message>
            <source>Compare visits</source>
            <translation>Comparer les visites</translation>
        </message>
        <message>
            <source>What differs between the visits. What is refused can be accepted by checking it; the report then says so.</source>
            <translation>Ce qui diffère entre les visites. Ce qui est refusé peut être accepté en le cochant ; le rapport le dit alors.</translation>
        </message>
        <message>
            <source>The change of every outcome between the first visit and the others.</source>
            <translation>L’évolution de chaque mesure entre la première visite et les autres.</translation>
        </message>
        <message>
            <source>What the comparison says in words.</source>
            <translation>Ce que dit la comparaison, en mots.</translation>
        </message>
        <message>
            <source>Language of the report; keys in files stay as they are.</source>
            <translation>Langue du rapport ; les clés des fichiers ne changent pas.</translation>
        </message>
        <message>
            <source>Language:</source>
            <translation>Langue :</translation>
        </message>
        <message>
            <source>An empty or new folder for the report; files that are there are not overwritten.</source>
            <translation>Un dossier vide ou nouveau pour le rapport ; aucun fichier présent n’est écrasé.</translation>
        </message>
        <message>
            <source>Folder:</source>
            <translation>Dossier :</translation>
        </message>
        <message>
            <source>Write the report as HTML and PDF, with tables and figures.</source>
            <translation>Écrit le rapport en HTML et PDF, avec tables et figures.</translation>
        </message>
        <message>
            <source>Write report</source>
            <translation>Écrire le rapport</translation>
        </message>
        <message>
            <source>Open the report in the web browser.</source>
            <translation>Ouvre le rapport dans le navigateur.</translation>
        </message>
        <message>
            <source>Open report</source>
            <translation>Ouvrir le rapport</translation>
        </message>
        <message>
            <source>How far the work has come.</source>
            <translation>Avancement du travail.</translation>
        </message>
        <message>
            <source>What is being done, or what came of it.</source>
            <translation>Ce qui est en cours, ou ce qui en est sorti.</translation>
        </message>
        <message>
            <source>Align, make the input function and fit the models for this visit.</source>
            <translation>Recale, calcule la fonction d’entrée et ajuste les modèles pour cette visite.</translation>
        </message>
        <message>
            <source>Compute</source>
            <translation>Calculer</translation>
        </message>
        <message>
            <source>Stop the work; nothing in the scene is changed.</source>
            <translation>Arrête le travail ; rien ne change dans la scène.</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>Annuler</translation>
        </message>
        <message>
            <source>TSPO PET Quantification</source>
            <translation>Quantification TEP TSPO</translation>
        </message>
        <message>
            <source>
Measures neuroinflammation along the spine from a dynamic PET and a CT or MR: fuses them, reads activity over time in
neuroforaminal regions, builds the blood input, fits compartment models and reports the distribution volume
V&lt;sub&gt;T&lt;/sub&gt; (shown as V&lt;sub&gt;r&lt;/sub&gt;) and its change between visits. The six sections follow a study from top to
bottom; each says in its headline whether there is something to do, and whether its result is still up to date.
&lt;p&gt;&lt;b&gt;For research use only; not a medical device.&lt;/b&gt;&lt;/p&gt;
</source>
            <translation>
Mesure la neuro-inflammation le long du rachis à partir d’une TEP dynamique et d’une TDM ou IRM : les fusionne, lit
l’activité au cours du temps dans les régions neuroforaminales, construit la fonction d’entrée sanguine, ajuste des modèles
compartimentaux et rapporte le volume de distribution V&lt;sub&gt;T&lt;/sub&gt; (affiché V&lt;sub&gt;r&lt;/sub&gt;) et son évolution entre
visites. Les six sections suivent une étude de haut en bas ; chacune dit dans son titre s’il reste quelque chose à
faire, et si son résultat est encore à jour.
&lt;p&gt;&lt;b&gt;Pour la recherche uniquement ; n’est pas un dispositif médical.&lt;/b&gt;&lt;/p&gt;
</translation>
        </message>
        <message>
            <source>
Built on 3D Slicer. The source of each formula is given where it is computed.
</source>
            <translation>
Construit sur 3D Slicer. La source de chaque formule est donnée là où elle est calculée.
</translation>
        </message>
        <message>
            <source>Digital neck</source>
            <translation>Cou numérique</translation>
        </message>
        <message>
            <source>TSPOQuant: digital neck (baseline, follow-up)</source>
            <translation>TSPOQuant : cou numérique (deux visites)</translation>
        </message>
        <message>
            <source>Regions of the other visits too</source>
            <translation>Aussi les régions des autres visites</translation>
        </message>
        <message>
            <source>Show the regions of the other visits as well, as faint outlines; otherwise those of this visit alone are shown.</source>
            <translation>Afficher aussi les régions des autres visites, en contours pâles ; sinon, celles de cette visite seule sont affichées.</translation>
        </message>
        <message>
            <source>The sections follow a study from top to bottom.</source>
            <translation>Les sections suivent une étude de haut en bas.</translation>
        </message>
        <message>
            <source>What can be done next.</source>
            <translation>Ce qui peut être fait ensuite.</translation>
        </message>
        <message>
            <source>Every other choice of the analysis of this visit, as a study file has it; what is left empty has its default.</source>
            <translation>Tous les autres choix de l’analyse de cette visite, comme dans un fichier d’étude ; ce qui reste vide a sa valeur par défaut.</translation>
        </message>
        <message>
            <source>Further settings</source>
            <translation>Autres réglages</translation>
        </message>
        <message>
            <source>V_T (shown as Vr) of the affected foramen at every visit, with its standard error and 95 % interval, in mL/cm³.</source>
            <translation>V_T (affiché comme Vr) du foramen atteint à chaque visite, avec son erreur type et son intervalle à 95 %, en mL/cm³.</translation>
        </message>
        <message>
            <source>Accept</source>
            <translation>Accepter</translation>
        </message>
        <message>
            <source>Accept place and fit of the region that is shown; once more takes it back.</source>
            <translation>Accepte la place et l’ajustement de la région montrée ; une seconde fois le retire.</translation>
        </message>
        <message>
            <source>Accepted by:</source>
            <translation>Acceptée par :</translation>
        </message>
        <message>
            <source>Compare readers</source>
            <translation>Comparer les lecteurs</translation>
        </message>
        <message>
            <source>Go through the regions of all visits, one after the other: fit, PET over anatomy, and what to be careful about.</source>
            <translation>Parcourir les régions de toutes les visites l’une après l’autre : ajustement, TEP sur anatomie et points à surveiller.</translation>
        </message>
        <message>
            <source>How far another reader's regions agree with these.</source>
            <translation>Accord entre les régions d’un autre lecteur et celles-ci.</translation>
        </message>
        <message>
            <source>Next</source>
            <translation>Suivante</translation>
        </message>
        <message>
            <source>Other reader:</source>
            <translation>Autre lecteur :</translation>
        </message>
        <message>
            <source>Overlap, distance along and across the canal, and V_T of both readers' regions.</source>
            <translation>Recouvrement, distance le long et en travers du canal, et V_T des régions des deux lecteurs.</translation>
        </message>
        <message>
            <source>Previous</source>
            <translation>Précédente</translation>
        </message>
        <message>
            <source>Review:</source>
            <translation>Relecture :</translation>
        </message>
        <message>
            <source>Show the next region.</source>
            <translation>Montre la région suivante.</translation>
        </message>
        <message>
            <source>Show the region before.</source>
            <translation>Montre la région précédente.</translation>
        </message>
        <message>
            <source>The same regions as another reader drew them, to be compared with these.</source>
            <translation>Les mêmes régions dessinées par un autre lecteur, à comparer avec celles-ci.</translation>
        </message>
        <message>
            <source>Your initials, no patient's; they are kept with the results and shown in the report.</source>
            <translation>Vos initiales, jamais celles d’un patient ; elles sont gardées avec les résultats et figurent dans le rapport.</translation>
        </message>
        <message>
            <source>Label the vertebrae of this CT or MR with the extension TotalSegmentator; minutes without a graphics card.</source>
            <translation>Étiquette les vertèbres de cette TDM ou IRM avec l’extension TotalSegmentator ; des minutes sans carte graphique.</translation>
        </message>
        <message>
            <source>What was proposed, and what was declined and why. Click a row to see where it would have been.</source>
            <translation>Ce qui a été proposé, et ce qui a été refusé et pourquoi. Cliquez une ligne pour voir où elle se serait trouvée.</translation>
        </message>
        <message>
            <source>Label</source>
            <translation>Étiqueter</translation>
        </message>
        <message>
            <source>The frame whose point was clicked in a plot, and all that the fits do not see. In the plot, Delete leaves the frame out and Ctrl+Z undoes that.</source>
            <translation>La trame dont le point a été cliqué dans un graphique, et toutes celles que les ajustements ne voient pas. Dans le graphique, Suppr écarte la trame et Ctrl+Z annule.</translation>
        </message>
        <message>
            <source>Leave the frame that was clicked out of the fits, for a reason that the results keep.</source>
            <translation>Écarte des ajustements la trame cliquée, pour une raison que les résultats conservent.</translation>
        </message>
        <message>
            <source>Leave out…</source>
            <translation>Écarter…</translation>
        </message>
        <message>
            <source>Let the fits see the frame that was clicked again.</source>
            <translation>Rend aux ajustements la trame cliquée.</translation>
        </message>
        <message>
            <source>Bring back</source>
            <translation>Rétablir</translation>
        </message>
        <message>
            <source>Load…</source>
            <translation>Charger…</translation>
        </message>
        <message>
            <source>Read the CT or MR from files: a NIfTI or another volume file, or the folder of any DICOM file that is chosen.</source>
            <translation>Lire la TDM ou l’IRM dans des fichiers : un NIfTI ou un autre fichier de volume, ou le dossier d’un fichier DICOM quelconque que l’on choisit.</translation>
        </message>
        <message>
            <source>Read the PET from files: a NIfTI with its PET-BIDS JSON, a sequence that Slicer saved, or the folder of any DICOM file that is chosen.</source>
            <translation>Lire la TEP dans des fichiers : un NIfTI avec son JSON PET-BIDS, une séquence enregistrée par Slicer, ou le dossier d’un fichier DICOM quelconque que l’on choisit.</translation>
        </message>
    </context>
    <context>
        <name>mrml.choices</name>
        <message>
            <source>Not known</source>
            <translation>Inconnu</translation>
        </message>
        <message>
            <source>Artery</source>
            <translation>Artère</translation>
        </message>
        <message>
            <source>Vein</source>
            <translation>Veine</translation>
        </message>
        <message>
            <source>High-affinity binder</source>
            <translation>Haute affinité</translation>
        </message>
        <message>
            <source>Mixed-affinity binder</source>
            <translation>Affinité mixte</translation>
        </message>
        <message>
            <source>Low-affinity binder</source>
            <translation>Faible affinité</translation>
        </message>
        <message>
            <source>Not chosen</source>
            <translation>Non choisi</translation>
        </message>
        <message>
            <source>{level} (root {root})</source>
            <translation>{level} ({root})</translation>
        </message>
        <message>
            <source>Left</source>
            <translation>Gauche</translation>
        </message>
        <message>
            <source>Right</source>
            <translation>Droite</translation>
        </message>
        <message>
            <source>Frames, and PET to CT or MR</source>
            <translation>Trames, et TEP sur TDM ou IRM</translation>
        </message>
        <message>
            <source>Frames alone</source>
            <translation>Trames seules</translation>
        </message>
        <message>
            <source>Not corrected</source>
            <translation>Non corrigé</translation>
        </message>
        <message>
            <source>Blood pool in the PET</source>
            <translation>Compartiment sanguin dans la TEP</translation>
        </message>
        <message>
            <source>Blood samples</source>
            <translation>Prélèvements sanguins</translation>
        </message>
        <message>
            <source>Ready, in the blood file</source>
            <translation>Prête, dans le fichier</translation>
        </message>
        <message>
            <source>Template of your own cohort, in the blood file</source>
            <translation>Modèle de votre cohorte, dans le fichier</translation>
        </message>
        <message>
            <source>Recovery and spill-in</source>
            <translation>Recouvrement, débordement</translation>
        </message>
        <message>
            <source>One factor</source>
            <translation>Un seul facteur</translation>
        </message>
        <message>
            <source>Fitted</source>
            <translation>Ajustée</translation>
        </message>
        <message>
            <source>Fixed at</source>
            <translation>Fixée à</translation>
        </message>
        <message>
            <source>Neglected</source>
            <translation>Négligée</translation>
        </message>
    </context>
    <context>
        <name>mrml.plots</name>
        <message>
            <source>measured</source>
            <translation>mesuré</translation>
        </message>
        <message>
            <source>{model}: residual</source>
            <translation>{model} : résidu</translation>
        </message>
        <message>
            <source>Time after time zero (min)</source>
            <translation>Temps après le temps zéro (min)</translation>
        </message>
        <message>
            <source>Activity (kBq/mL)</source>
            <translation>Activité (kBq/mL)</translation>
        </message>
        <message>
            <source>frames used</source>
            <translation>trames utilisées</translation>
        </message>
        <message>
            <source>identity</source>
            <translation>identité</translation>
        </message>
        <message>
            <source>Predicted activity (kBq/mL)</source>
            <translation>Activité prédite (kBq/mL)</translation>
        </message>
        <message>
            <source>Measured activity (kBq/mL)</source>
            <translation>Activité mesurée (kBq/mL)</translation>
        </message>
        <message>
            <source>frames left out</source>
            <translation>trames écartées</translation>
        </message>
        <message>
            <source>line, slope V_T = {slope:.2f}</source>
            <translation>droite, pente V_T = {slope:.2f}</translation>
        </message>
        <message>
            <source>∫ plasma / tissue (min)</source>
            <translation>∫ plasma / tissu (min)</translation>
        </message>
        <message>
            <source>∫ tissue / tissue (min)</source>
            <translation>∫ tissu / tissu (min)</translation>
        </message>
        <message>
            <source>whole blood</source>
            <translation>sang total</translation>
        </message>
        <message>
            <source>parent plasma</source>
            <translation>plasma parent</translation>
        </message>
        <message>
            <source>blood pool in the PET</source>
            <translation>compartiment sanguin dans la TEP</translation>
        </message>
        <message>
            <source>whole-blood samples</source>
            <translation>prélèvements de sang total</translation>
        </message>
        <message>
            <source>plasma samples</source>
            <translation>prélèvements de plasma</translation>
        </message>
        <message>
            <source>Input function, {session}</source>
            <translation>Fonction d’entrée, {session}</translation>
        </message>
        <message>
            <source>displacement</source>
            <translation>déplacement</translation>
        </message>
        <message>
            <source>to the left</source>
            <translation>vers la gauche</translation>
        </message>
        <message>
            <source>backward</source>
            <translation>vers l’arrière</translation>
        </message>
        <message>
            <source>upward</source>
            <translation>vers le haut</translation>
        </message>
        <message>
            <source>Motion, {session}</source>
            <translation>Mouvement, {session}</translation>
        </message>
        <message>
            <source>Displacement (mm)</source>
            <translation>Déplacement (mm)</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_logic</name>
        <message>
            <source>No visit is called '{session}'; add it.</source>
            <translation>Aucune visite ne s’appelle « {session} » ; ajoutez-la.</translation>
        </message>
        <message>
            <source>A visit needs a label of its own, of letters and digits alone, such as 'week12'.</source>
            <translation>Une visite a besoin d’un code qui lui soit propre, de lettres et de chiffres seulement, comme « semaine12 ».</translation>
        </message>
        <message>
            <source>A study needs at least one visit; add another one first.</source>
            <translation>Une étude a besoin d’au moins une visite ; ajoutez-en d’abord une autre.</translation>
        </message>
        <message>
            <source>Compute at least one visit.</source>
            <translation>Calculez au moins une visite.</translation>
        </message>
        <message>
            <source>Give the subject a label of letters and digits.</source>
            <translation>Donnez au sujet un code de lettres et de chiffres.</translation>
        </message>
        <message>
            <source>Select a PET sequence.</source>
            <translation>Choisissez une séquence TEP.</translation>
        </message>
        <message>
            <source>Select a CT or MR, or leave the images where they lie.</source>
            <translation>Choisissez une TDM ou une IRM, ou laissez les images où elles sont.</translation>
        </message>
        <message>
            <source>Select a segmentation with the regions to quantify.</source>
            <translation>Choisissez une segmentation contenant les régions à quantifier.</translation>
        </message>
        <message>
            <source>Draw the regions to quantify.</source>
            <translation>Tracez les régions à quantifier.</translation>
        </message>
        <message>
            <source>Select the segment that is the blood pool, or another source of the input function.</source>
            <translation>Choisissez le segment du compartiment sanguin, ou une autre source pour la fonction d’entrée.</translation>
        </message>
        <message>
            <source>Select a file with blood measurements.</source>
            <translation>Choisissez un fichier de mesures sanguines.</translation>
        </message>
        <message>
            <source>The file with blood measurements does not exist.</source>
            <translation>Le fichier de mesures sanguines n’existe pas.</translation>
        </message>
        <message>
            <source>Check at least one model.</source>
            <translation>Cochez au moins un modèle.</translation>
        </message>
        <message>
            <source>Give the scanner's resolution, which partial-volume correction needs.</source>
            <translation>Donnez la résolution du scanner, nécessaire à la correction du volume partiel.</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_report</name>
        <message>
            <source>The results of the visit '{session}' are out of date; compute it again.</source>
            <translation>Les résultats de la visite « {session} » sont périmés ; recalculez-la.</translation>
        </message>
        <message>
            <source>The clinical file names another foramen than the first section; correct one.</source>
            <translation>Le fichier clinique nomme un autre foramen que la première section ; corrigez l’un des deux.</translation>
        </message>
        <message>
            <source>TSPOQuant changes</source>
            <translation>TSPOQuant évolution</translation>
        </message>
        <message>
            <source>Select a folder for the report.</source>
            <translation>Choisissez un dossier pour le rapport.</translation>
        </message>
        <message>
            <source>Comparing the visits</source>
            <translation>Comparaison des visites</translation>
        </message>
        <message>
            <source>Writing the report</source>
            <translation>Écriture du rapport</translation>
        </message>
        <message>
            <source>Done</source>
            <translation>Terminé</translation>
        </message>
        <message>
            <source>Reading the images</source>
            <translation>Lecture des images</translation>
        </message>
        <message>
            <source>choose the visit '{session}' above.</source>
            <translation>choisissez la visite « {session} » ci-dessus.</translation>
        </message>
        <message>
            <source>compare the visits.</source>
            <translation>comparez les visites.</translation>
        </message>
        <message>
            <source>select a folder and write the report.</source>
            <translation>choisissez un dossier et écrivez le rapport.</translation>
        </message>
        <message>
            <source>{line} – out of date</source>
            <translation>{line} – périmé</translation>
        </message>
        <message>
            <source>press Compute, which also aligns and makes the input function.</source>
            <translation>appuyez sur Calculer, qui recale aussi et construit la fonction d’entrée.</translation>
        </message>
        <message>
            <source>Compute another visit first; a change needs two.</source>
            <translation>Calculez d’abord une autre visite ; une évolution en demande deux.</translation>
        </message>
        <message>
            <source>{line} – live</source>
            <translation>{line} – en direct</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_steps</name>
        <message>
            <source>Reading the images</source>
            <translation>Lecture des images</translation>
        </message>
        <message>
            <source>Reading the blood measurements</source>
            <translation>Lecture des mesures sanguines</translation>
        </message>
        <message>
            <source>Done</source>
            <translation>Terminé</translation>
        </message>
        <message>
            <source>Input function</source>
            <translation>Fonction d’entrée</translation>
        </message>
        <message>
            <source>{count} of {all} proposed; look at each before it is used.</source>
            <translation>{count} sur {all} proposés ; à vérifier un par un avant usage.</translation>
        </message>
        <message>
            <source>{count} of {all} proposed; look at each before it is used. The table says why the others were not.</source>
            <translation>{count} sur {all} proposés ; à vérifier un par un avant usage. Le tableau dit pourquoi les autres ne le sont pas.</translation>
        </message>
        <message>
            <source>The first visit has regions of its own.</source>
            <translation>La première visite a ses propres régions.</translation>
        </message>
        <message>
            <source>The first visit needs a CT or MR, and regions.</source>
            <translation>La première visite a besoin d’une TDM ou d’une IRM, et de régions.</translation>
        </message>
        <message>
            <source>Carried over; look at each region before it is used.</source>
            <translation>Reporté ; à vérifier région par région avant usage.</translation>
        </message>
        <message>
            <source>foramen, two points</source>
            <translation>foramen, deux points</translation>
        </message>
        <message>
            <source>Choose level and side of the foramen that the points mark.</source>
            <translation>Choisissez le niveau et le côté du foramen que marquent les points.</translation>
        </message>
        <message>
            <source>Place two points: the inner mouth of the foramen, then the outer one.</source>
            <translation>Placez deux points : l’orifice interne du foramen, puis l’externe.</translation>
        </message>
        <message>
            <source>Select the images and a segmentation first.</source>
            <translation>Choisissez d’abord les images et une segmentation.</translation>
        </message>
        <message>
            <source>Draw the regions to quantify.</source>
            <translation>Tracez les régions à quantifier.</translation>
        </message>
        <message>
            <source>Compute the visit '{session}' first.</source>
            <translation>Calculez d’abord la visite « {session} ».</translation>
        </message>
        <message>
            <source>Select a segmentation with the regions to quantify.</source>
            <translation>Choisissez une segmentation contenant les régions à quantifier.</translation>
        </message>
        <message>
            <source>unknown tracer</source>
            <translation>traceur inconnu</translation>
        </message>
        <message>
            <source>injection</source>
            <translation>l’injection</translation>
        </message>
        <message>
            <source>the first frame</source>
            <translation>la première trame</translation>
        </message>
        <message>
            <source>{frames} frames to {minutes:.0f} min from {zero}, {tracer}.</source>
            <translation>{frames} trames jusqu’à {minutes:.0f} min depuis {zero}, {tracer}.</translation>
        </message>
        <message>
            <source>PET to anatomy: {shift:.1f} mm, {angle:.1f}°.</source>
            <translation>TEP sur anatomie : {shift:.1f} mm, {angle:.1f}°.</translation>
        </message>
        <message>
            <source>All segments of the template are there already.</source>
            <translation>Tous les segments du modèle sont déjà là.</translation>
        </message>
        <message>
            <source>Looking for the arteries</source>
            <translation>Recherche des artères</translation>
        </message>
        <message>
            <source>Looking for the foramina</source>
            <translation>Recherche des foramens</translation>
        </message>
        <message>
            <source>Empty segments added: {count}. Draw them.</source>
            <translation>Segments vides ajoutés : {count}. Dessinez-les.</translation>
        </message>
        <message>
            <source>Labels: {count}. Propose foramina from them.</source>
            <translation>Étiquettes : {count}. Proposez-en les foramens.</translation>
        </message>
        <message>
            <source>Frame {number}, {start:.1f} to {end:.1f} min.</source>
            <translation>Trame {number}, {start:.1f} à {end:.1f} min.</translation>
        </message>
        <message>
            <source>{number} ({reason})</source>
            <translation>{number} ({reason})</translation>
        </message>
        <message>
            <source>Left out: {frames}.</source>
            <translation>Écartées : {frames}.</translation>
        </message>
        <message>
            <source>The views show each frame of the PET where this alignment puts it, as results and report do.</source>
            <translation>Les vues montrent chaque trame de la TEP là où ce recalage la place, comme les résultats et le rapport.</translation>
        </message>
        <message>
            <source>No size of this foramen is published: draw it with the Segment Editor.</source>
            <translation>Aucune taille de ce foramen n’est publiée : le dessiner avec l’éditeur de segments.</translation>
        </message>
    </context>
    <context>
        <name>mrml.tables</name>
        <message>
            <source>name of the segment</source>
            <translation>nom du segment</translation>
        </message>
        <message>
            <source>region</source>
            <translation>région</translation>
        </message>
        <message>
            <source>kinetic model</source>
            <translation>modèle cinétique</translation>
        </message>
        <message>
            <source>model</source>
            <translation>modèle</translation>
        </message>
        <message>
            <source>reasons to be careful</source>
            <translation>raisons d’être prudent</translation>
        </message>
        <message>
            <source>careful</source>
            <translation>prudence</translation>
        </message>
        <message>
            <source>partial-volume correction</source>
            <translation>correction du volume partiel</translation>
        </message>
        <message>
            <source>partial volume</source>
            <translation>volume partiel</translation>
        </message>
        <message>
            <source>kind of region</source>
            <translation>type de région</translation>
        </message>
        <message>
            <source>structure</source>
            <translation>structure</translation>
        </message>
        <message>
            <source>level</source>
            <translation>niveau</translation>
        </message>
        <message>
            <source>nerve root that leaves there</source>
            <translation>racine nerveuse qui y sort</translation>
        </message>
        <message>
            <source>root</source>
            <translation>racine</translation>
        </message>
        <message>
            <source>left, right or midline</source>
            <translation>gauche, droite ou médian</translation>
        </message>
        <message>
            <source>side</source>
            <translation>côté</translation>
        </message>
        <message>
            <source>V_T at the first visit</source>
            <translation>V_T à la première visite</translation>
        </message>
        <message>
            <source>first</source>
            <translation>première</translation>
        </message>
        <message>
            <source>V_T at the later visit</source>
            <translation>V_T à la visite suivante</translation>
        </message>
        <message>
            <source>later</source>
            <translation>suivante</translation>
        </message>
        <message>
            <source>change in percent of the first</source>
            <translation>évolution en pourcentage de la première</translation>
        </message>
        <message>
            <source>change</source>
            <translation>évolution</translation>
        </message>
        <message>
            <source>lower end of the 95 % interval</source>
            <translation>borne inférieure de l’intervalle à 95 %</translation>
        </message>
        <message>
            <source>from</source>
            <translation>de</translation>
        </message>
        <message>
            <source>upper end of the 95 % interval</source>
            <translation>borne supérieure de l’intervalle à 95 %</translation>
        </message>
        <message>
            <source>to</source>
            <translation>à</translation>
        </message>
        <message>
            <source>against repeatability</source>
            <translation>au regard de la répétabilité</translation>
        </message>
        <message>
            <source>repeatability</source>
            <translation>répétabilité</translation>
        </message>
        <message>
            <source>label of the later visit</source>
            <translation>code de la visite suivante</translation>
        </message>
        <message>
            <source>visit</source>
            <translation>visite</translation>
        </message>
        <message>
            <source>difference of AICc from the best model</source>
            <translation>écart d’AICc au meilleur modèle</translation>
        </message>
        <message>
            <source>difference of AIC from the best model</source>
            <translation>écart d’AIC au meilleur modèle</translation>
        </message>
        <message>
            <source>difference of BIC from the best model</source>
            <translation>écart de BIC au meilleur modèle</translation>
        </message>
        <message>
            <source>weighted sum of squared residuals</source>
            <translation>somme pondérée des carrés des résidus</translation>
        </message>
        <message>
            <source>number of fitted parameters</source>
            <translation>nombre de paramètres ajustés</translation>
        </message>
        <message>
            <source>parameters</source>
            <translation>paramètres</translation>
        </message>
        <message>
            <source>number of frames</source>
            <translation>nombre de trames</translation>
        </message>
        <message>
            <source>frames</source>
            <translation>trames</translation>
        </message>
        <message>
            <source>V_T against this visit's</source>
            <translation>V_T par rapport à celui de cette visite</translation>
        </message>
        <message>
            <source>across</source>
            <translation>en travers</translation>
        </message>
        <message>
            <source>along</source>
            <translation>le long</translation>
        </message>
        <message>
            <source>apart</source>
            <translation>écart</translation>
        </message>
        <message>
            <source>distance of the middles</source>
            <translation>distance des centres</translation>
        </message>
        <message>
            <source>of it across the canal</source>
            <translation>dont en travers du canal</translation>
        </message>
        <message>
            <source>of it along the canal, outward</source>
            <translation>dont le long du canal, vers l’extérieur</translation>
        </message>
        <message>
            <source>overlap of the two, 0 to 1</source>
            <translation>recouvrement des deux, de 0 à 1</translation>
        </message>
        <message>
            <source>volume</source>
            <translation>volume</translation>
        </message>
        <message>
            <source>volume against this visit's</source>
            <translation>volume par rapport à celui de cette visite</translation>
        </message>
        <message>
            <source>code</source>
            <translation>code</translation>
        </message>
        <message>
            <source>declined</source>
            <translation>refusée</translation>
        </message>
        <message>
            <source>how often such a proposal is within 2 mm</source>
            <translation>part de telles propositions à moins de 2 mm</translation>
        </message>
        <message>
            <source>kept</source>
            <translation>gardée</translation>
        </message>
        <message>
            <source>outcome</source>
            <translation>issue</translation>
        </message>
        <message>
            <source>proposed</source>
            <translation>proposée</translation>
        </message>
        <message>
            <source>reason</source>
            <translation>motif</translation>
        </message>
        <message>
            <source>stable name of the reason</source>
            <translation>nom stable du motif</translation>
        </message>
        <message>
            <source>what became of it</source>
            <translation>ce qu’il en est advenu</translation>
        </message>
        <message>
            <source>where it lies, or would have lain</source>
            <translation>où elle se trouve, ou se serait trouvée</translation>
        </message>
        <message>
            <source>why it was declined</source>
            <translation>pourquoi elle a été refusée</translation>
        </message>
        <message>
            <source>within 2 mm</source>
            <translation>à moins de 2 mm</translation>
        </message>
        <message>
            <source>SE</source>
            <translation>ET</translation>
        </message>
    </context>
    <context>
        <name>panel.buttons</name>
        <message>
            <source>Aligned.</source>
            <translation>Recalé.</translation>
        </message>
        <message>
            <source>Choose the affected foramen in the first section.</source>
            <translation>Choisissez le foramen atteint dans la première section.</translation>
        </message>
        <message>
            <source>Compared.</source>
            <translation>Comparé.</translation>
        </message>
        <message>
            <source>Nothing was computed yet that could be plotted.</source>
            <translation>Rien n’a encore été calculé qui puisse être tracé.</translation>
        </message>
        <message>
            <source>Select a CT or MR.</source>
            <translation>Choisissez une TDM ou une IRM.</translation>
        </message>
        <message>
            <source>Select a folder for the report.</source>
            <translation>Choisissez un dossier pour le rapport.</translation>
        </message>
        <message>
            <source>Select a segmentation with vertebrae.</source>
            <translation>Choisissez une segmentation contenant des vertèbres.</translation>
        </message>
        <message>
            <source>Select or create a segmentation.</source>
            <translation>Choisissez ou créez une segmentation.</translation>
        </message>
        <message>
            <source>The input function is made.</source>
            <translation>La fonction d’entrée est calculée.</translation>
        </message>
        <message>
            <source>The map is made.</source>
            <translation>La carte est calculée.</translation>
        </message>
        <message>
            <source>Type a label first.</source>
            <translation>Saisissez d’abord un code.</translation>
        </message>
        <message>
            <source>Write a report first.</source>
            <translation>Écrivez d’abord un rapport.</translation>
        </message>
        <message>
            <source>The foramen is made; look at it before it is used.</source>
            <translation>Le foramen est fait ; le regarder avant de l’utiliser.</translation>
        </message>
        <message>
            <source>Compute at least one visit.</source>
            <translation>Calculez au moins une visite.</translation>
        </message>
    </context>
    <context>
        <name>panel.runner</name>
        <message>
            <source>Stopped. Nothing was changed.</source>
            <translation>Arrêté. Rien n’a été changé.</translation>
        </message>
        <message>
            <source>Stopping…</source>
            <translation>Arrêt…</translation>
        </message>
        <message>
            <source>Working…</source>
            <translation>En cours…</translation>
        </message>
        <message>
            <source>This failed through a fault of the program. Nothing was changed; the error log has details.</source>
            <translation>Échec dû à une faute du programme. Rien n’a été changé ; les détails sont dans le journal des erreurs.</translation>
        </message>
    </context>
    <context>
        <name>panel.study_panel</name>
        <message>
            <source>A report needs these packages; nothing was written.</source>
            <translation>Un rapport a besoin de ces paquets ; rien n’a été écrit.</translation>
        </message>
        <message>
            <source>Forget the choices and results of the visit '{session}'? Its images and regions stay.</source>
            <translation>Oublier les choix et les résultats de la visite « {session} » ? Ses images et ses régions restent.</translation>
        </message>
        <message>
            <source>None</source>
            <translation>Aucun</translation>
        </message>
        <message>
            <source>Nothing to object to.</source>
            <translation>Rien à objecter.</translation>
        </message>
        <message>
            <source>Read the warnings below the table.</source>
            <translation>Lisez les avertissements sous la table.</translation>
        </message>
        <message>
            <source>The folder for the report is not empty. Replace what this module wrote there before?</source>
            <translation>Le dossier du rapport n’est pas vide. Remplacer ce que ce module y a écrit auparavant ?</translation>
        </message>
        <message>
            <source>The module is not active.</source>
            <translation>Le module n’est pas actif.</translation>
        </message>
        <message>
            <source>The report is written.</source>
            <translation>Le rapport est écrit.</translation>
        </message>
        <message>
            <source>done</source>
            <translation>fait</translation>
        </message>
        <message>
            <source>out of date</source>
            <translation>périmé</translation>
        </message>
        <message>
            <source>ready</source>
            <translation>prêt</translation>
        </message>
        <message>
            <source>to do</source>
            <translation>à faire</translation>
        </message>
        <message>
            <source>Objections: {count}.</source>
            <translation>Objections : {count}.</translation>
        </message>
        <message>
            <source>Results: {count}.</source>
            <translation>Résultats : {count}.</translation>
        </message>
        <message>
            <source>{section}: {what}</source>
            <translation>{section} : {what}</translation>
        </message>
        <message>
            <source>Whole images</source>
            <translation>Images entières</translation>
        </message>
        <message>
            <source>TotalSegmentator takes minutes, and at its first use downloads several GB of packages and weights. Go on?</source>
            <translation>TotalSegmentator prend des minutes et, à sa première utilisation, télécharge plusieurs Go de paquets et de poids. Continuer ?</translation>
        </message>
        <message>
            <source>CT or MR: a NIfTI, or any file of the DICOM series</source>
            <translation>TDM ou IRM : un NIfTI, ou un fichier quelconque de la série DICOM</translation>
        </message>
        <message>
            <source>Dynamic PET: a NIfTI with its JSON, or any file of the DICOM series</source>
            <translation>TEP dynamique : un NIfTI avec son JSON, ou un fichier quelconque de la série DICOM</translation>
        </message>
        <message>
            <source>Loaded.</source>
            <translation>Chargé.</translation>
        </message>
    </context>
    <context>
        <name>mrml.headline</name>
        <message>
            <source>{region}, {model}: Vr (V_T) ± SE (95 %)</source>
            <translation>{region}, {model} : Vr (V_T) ± ET (95 %)</translation>
        </message>
        <message>
            <source>{what}: {vt} ± {se} ({low} to {high})</source>
            <translation>{what} : {vt} ± {se} ({low} à {high})</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_views</name>
        <message>
            <source>Done</source>
            <translation>Terminé</translation>
        </message>
        <message>
            <source>Showing PET over anatomy</source>
            <translation>Affichage de la TEP sur l’anatomie</translation>
        </message>
        <message>
            <source>Surfaces for the 3-D view</source>
            <translation>Surfaces pour la vue 3D</translation>
        </message>
    </context>
    <context>
        <name>mrml.further</name>
        <message>
            <source>The further settings of the scene cannot be read ({error}); type them again.</source>
            <translation>Les autres réglages de la scène ne peuvent pas être lus ({error}) ; les saisir à nouveau.</translation>
        </message>
        <message>
            <source>{name} must be {wanted}.</source>
            <translation>{name} doit être : {wanted}.</translation>
        </message>
    </context>
    <context>
        <name>panel.settings_table</name>
        <message>
            <source>Default</source>
            <translation>Défaut</translation>
        </message>
        <message>
            <source>Setting</source>
            <translation>Réglage</translation>
        </message>
        <message>
            <source>Value</source>
            <translation>Valeur</translation>
        </message>
        <message>
            <source>[{table}] {key}: {help}. It must be {wanted}.</source>
            <translation>[{table}] {key} : {help}. Valeurs permises : {wanted}.</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_live</name>
        <message>
            <source>Alignment or input function are no longer those of the results.</source>
            <translation>L’alignement ou la fonction d’entrée ne sont plus ceux des résultats.</translation>
        </message>
        <message>
            <source>The blood pool was changed, and with it the input function.</source>
            <translation>La région sanguine a changé, et avec elle la fonction d’entrée.</translation>
        </message>
    </context>
    <context>
        <name>mrml.study_review</name>
        <message>
            <source>Accepted by: {name}</source>
            <translation>Acceptée par : {name}</translation>
        </message>
        <message>
            <source>Compute the visit '{session}' first.</source>
            <translation>Calculez d’abord la visite « {session} ».</translation>
        </message>
        <message>
            <source>Done</source>
            <translation>Terminé</translation>
        </message>
        <message>
            <source>Not accepted yet.</source>
            <translation>Pas encore acceptée.</translation>
        </message>
        <message>
            <source>One reader places them within {spread:.1f} mm (SD along an axis).</source>
            <translation>Un lecteur les place à {spread:.1f} mm près (écart type selon un axe).</translation>
        </message>
        <message>
            <source>Select or create a segmentation.</source>
            <translation>Choisissez ou créez une segmentation.</translation>
        </message>
        <message>
            <source>Select the segmentation of another reader.</source>
            <translation>Choisissez la segmentation d’un autre lecteur.</translation>
        </message>
        <message>
            <source>Showing PET over anatomy</source>
            <translation>Affichage de la TEP sur l’anatomie</translation>
        </message>
        <message>
            <source>{count} regions compared.</source>
            <translation>{count} régions comparées.</translation>
        </message>
        <message>
            <source>The other reader drew no blood pool: both have this visit's input function.</source>
            <translation>L’autre lecteur n’a pas tracé de compartiment sanguin : tous deux ont la fonction d’entrée de cette visite.</translation>
        </message>
    </context>
    <context>
        <name>panel.review</name>
        <message>
            <source>Compute the visit '{session}' first.</source>
            <translation>Calculez d’abord la visite « {session} ».</translation>
        </message>
        <message>
            <source>Type your initials first.</source>
            <translation>Tapez d’abord vos initiales.</translation>
        </message>
        <message>
            <source>{session}, {region} ({number} of {count})</source>
            <translation>{session}, {region} ({number} sur {count})</translation>
        </message>
    </context>
    <context>
        <name>panel.model_list</name>
        <message>
            <source>{outcome}; {source}</source>
            <translation>{outcome} ; {source}</translation>
        </message>
    </context>
    <context>
        <name>mrml.labeling</name>
        <message>
            <source>Done</source>
            <translation>Terminé</translation>
        </message>
        <message>
            <source>Install the extension TotalSegmentator (View, Extensions Manager) and start Slicer again.</source>
            <translation>Installez l’extension TotalSegmentator (Affichage, gestionnaire d’extensions) et redémarrez Slicer.</translation>
        </message>
        <message>
            <source>TotalSegmentator failed ({error}); try it in its own module first.</source>
            <translation>TotalSegmentator a échoué ({error}) ; essayez d’abord dans son propre module.</translation>
        </message>
        <message>
            <source>TotalSegmentator is labeling the vertebrae</source>
            <translation>TotalSegmentator étiquette les vertèbres</translation>
        </message>
    </context>
    <context>
        <name>mrml.views</name>
        <message>
            <source>3-D</source>
            <translation>3D</translation>
        </message>
        <message>
            <source>Plot</source>
            <translation>Courbes</translation>
        </message>
    </context>
    <context>
        <name>panel.frames</name>
        <message>
            <source>Why is frame {number} left out of the fits?</source>
            <translation>Pourquoi écarter la trame {number} des ajustements ?</translation>
        </message>
        <message>
            <source>Leave a frame out</source>
            <translation>Écarter une trame</translation>
        </message>
        <message>
            <source>Click a point of a plot first.</source>
            <translation>Cliquez d’abord sur un point d’un graphique.</translation>
        </message>
        <message>
            <source>This frame is left out already.</source>
            <translation>Cette trame est déjà écartée.</translation>
        </message>
        <message>
            <source>Click the point of a frame that is left out.</source>
            <translation>Cliquez sur le point d’une trame écartée.</translation>
        </message>
    </context>
</TS>

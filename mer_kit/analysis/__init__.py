"""Analyses of a trained fold, or of a corpus that is cut into segments.

segmentation    a corpus cut at any duration: the effect on labels and on spectra
passes          a fold's evaluation passes, its partitions, and the segments with the largest losses
label_issues    cleanlab's opinion of the labels, compared with the partition's
noise_study     deliberately corrupted labels, and how many of them the partition finds
ablation        the same fold with other methods
dropout         repeated dropout passes of a fold's network, and predictions for mixed segments
noisy_segments  the segments whose labels a fold's network doubted most
ranking         how well scores rank wrong labels before right ones
suspicion       scores for wrong labels, one value per segment from each
preview         a short training of a few songs, to watch live
feature_space   a fold's songs in the SVM's feature space
predict         the emotion curve of any recording
answering       which run, and which of its networks, may answer for a recording
curve           the leading class of an emotion curve over time, and its agreement with the truth
paper_fig2      the song to draw, and the paper's Fig. 2 compared with its curve
"""
